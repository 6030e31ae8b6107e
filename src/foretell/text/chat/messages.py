"""What may be said in a conversation, and how a template is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foretell.errors import RequestError
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

Message = Mapping[str, Any]
"""A role, and a content: a text, or OpenAI's parts `[{"type": "text", "text": ...}, ...]`.

It may also have a `name`: whose message it is, for templates that tell people apart.
"""

KEYS = ("role", "content", "name")
KEYS_OF_TOOLS = ("tool_calls", "tool_call_id", "function_call")
_ROLES_OF_TOOLS = ("tool", "function")
NO_TOOLS = "calls of tools are not supported"


def check_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """A copy of the messages, the parts of each content joined by line breaks, as in vLLM.

    RequestError unless each has a role and a content, both texts, and at most a name besides. None
    counts as absent, and as an empty content where the assistant said it; so does what is empty, of
    what must not be there. Which roles there are is
    the template's to say.
    """
    if not isinstance(messages, (list, tuple)):
        raise RequestError(f"messages={quote(messages)} must be a list of messages")
    if not messages:
        raise RequestError("messages=[] is empty: must have at least one message")
    return [_check_message(index, message) for index, message in enumerate(messages)]


def says_nothing(value: object) -> bool:
    """Whether a value of JSON is as if it were not there: null, false, or empty."""
    return value is None or value is False or (isinstance(value, (str, list, dict)) and not value)


def adapt_roles(messages: Sequence[dict[str, str]], source: str) -> list[dict[str, str]]:
    """The messages with the roles that the template knows.

    OpenAI's `developer` is `system` to a template that does not mention it. RequestError for what
    a tool answered: nothing here calls tools.
    """
    knows_developer = "developer" in source
    adapted = []
    for index, message in enumerate(messages):
        role = message["role"]
        if role in _ROLES_OF_TOOLS:
            raise RequestError(f"messages[{index}]['role'] is {role!r}: {NO_TOOLS}")
        is_renamed = role == "developer" and not knows_developer
        adapted.append({**message, "role": "system"} if is_renamed else message)
    return adapted


def _check_message(index: int, message: Message) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise RequestError(
            f'messages[{index}] is {quote(message)}: must be {{"role": ..., "content": ...}}'
        )
    for key, value in message.items():
        if key not in KEYS and not says_nothing(value):
            why = NO_TOOLS if key in KEYS_OF_TOOLS else "must have 'role', 'content' and 'name'"
            raise RequestError(f"messages[{index}] has {quote(key)}: {why}")
    checked = {key: _check_text(index, message, key) for key in ("role", "content")}
    if message.get("name") is not None:
        checked["name"] = _check_text(index, message, "name")
    return checked


def _check_text(index: int, message: Message, key: str) -> str:
    if key not in message:
        raise RequestError(f"messages[{index}] has no {key!r}: must have 'role' and 'content'")
    text = message[key]
    if key == "content" and isinstance(text, (list, tuple)):
        where = f"messages[{index}]['content']"
        text = "\n".join(_check_part(f"{where}[{i}]", one) for i, one in enumerate(text))
    if key == "content" and text is None and message.get("role") == "assistant":
        text = ""
    if not isinstance(text, str):
        raise RequestError(f"messages[{index}][{key!r}] is {quote(text)}: must be a string")
    if has_surrogate(text):
        raise RequestError(f"messages[{index}][{key!r}] has a lone surrogate: must be Unicode")
    return text


def _check_part(where: str, part: object) -> str:
    """The text of one of OpenAI's content parts, of which only texts can be read here."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind is not None and kind != "text":
        raise RequestError(f"{where} is of type {quote(kind)}: must be 'text', no other is read")
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind is None or not isinstance(text, str):
        raise RequestError(f'{where} is {quote(part)}: must be {{"type": "text", "text": ...}}')
    return text
