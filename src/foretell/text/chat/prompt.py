"""From the messages of a conversation to the ids of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretell.errors import RequestError
from foretell.text.chat.escaping import SpecialTokenEscaper
from foretell.text.chat.template import ChatTemplate, Message, check_messages

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def chat_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The token ids of a conversation up to where the assistant's answer begins.

    The model's chat template says how. A special token's name inside a message stays text, so that
    no message can end its own turn or speak for another.

    Raises:
        RequestError: the model has no template, or the messages do not suit it.
        ModelFileError: the template is broken.
    """
    template = template_of(tokenizer)
    escaper = SpecialTokenEscaper(tokenizer, check_messages(messages))
    return escaper.encode(template.render(escaper.messages))


def template_of(tokenizer: Tokenizer) -> ChatTemplate:
    """The chat template that the model comes with; RequestError if there is none."""
    if tokenizer.chat_template is None:
        raise RequestError(
            "this model comes with no chat template, so it cannot chat: give a text to be continued"
        )
    return ChatTemplate(tokenizer.chat_template, **tokenizer.special_tokens)
