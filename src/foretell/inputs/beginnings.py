"""What a prompt begins with, that is to be kept: a text, ids, or what chats have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from foretell.errors import RequestError
from foretell.inputs.chat import chat_request
from foretell.inputs.processor import InputProcessor
from foretell.inputs.prompts import Prompt

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

FOLLOWERS = ("A", "b")
"""What users may say next; prompts are alike up to there."""


def beginning_of(
    inputs: InputProcessor,
    prompt: Prompt | None,
    messages: Sequence[Mapping[str, Any]] | None,
    tools: Sequence[Mapping[str, Any]] | None,
    chat_template: str | None,
    parse_special: bool,
) -> Callable[[], Sequence[int]]:
    """Gives the ids of what is to be kept; a chat template takes its time.

    RequestError unless there is either a prompt or messages.
    """
    if (prompt is None) == (messages is None):
        raise RequestError("give a prompt or messages, one of the two")
    if prompt is not None:
        if tools is not None or chat_template is not None:
            raise RequestError("tools and chat_template are of messages: this is a prompt")
        return lambda: inputs.read(prompt, parse_special=parse_special)[1]
    assert messages is not None
    settings = {"tools": tools, "chat_template": chat_template}
    return lambda: _chat_beginning(inputs.tokenizer, messages, settings)


def _chat_beginning(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> Sequence[int]:
    """What all chats that begin with these messages begin with."""
    last = messages[-1] if messages else {}
    if isinstance(last, Mapping) and last.get("role") == "user":
        return chat_request(tokenizer, messages, None, settings).read()
    chats = [[*messages, {"role": "user", "content": text}] for text in FOLLOWERS]
    prompts = [chat_request(tokenizer, chat, None, settings).read() for chat in chats]
    one, other = prompts
    pairs = zip(one, other, strict=False)
    return one[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))]
