"""From the messages of a conversation to the ids of its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from foretell.errors import RequestError
from foretell.text.chat.escaping import SpecialTokenEscaper
from foretell.text.chat.template import ChatTemplate, check_messages

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def chat_prompt(tokenizer: Tokenizer, messages: Sequence[Mapping[str, str]]) -> list[int]:
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
            "this model comes with no chat template: must have one to chat, but can go on a text"
        )
    return ChatTemplate(
        tokenizer.chat_template,
        bos_token=_name_of(tokenizer, tokenizer.bos_token_id),
        eos_token=_name_of(tokenizer, tokenizer.eos_token_id),
    )


def _name_of(tokenizer: Tokenizer, token_id: int | None) -> str:
    return "" if token_id is None else tokenizer.token_text(token_id)
