"""What may be said in a conversation, and how a template is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foretell.errors import RequestError
from foretell.text.chat.calls import check_calls
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

Message = Mapping[str, Any]
"""A role, and a content: a text, or OpenAI's parts `[{"type": "text", "text": ...}, ...]`.

It may also have a `name`: whose message it is, for templates that tell people apart. The
assistant's may have `tool_calls`, as OpenAI writes them, and `reasoning_content`, what was thought
before; a tool's has the `tool_call_id` that it answers.
"""

KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content")
KEYS_BY_ROLE = {"tool_calls": "assistant", "reasoning_content": "assistant", "tool_call_id": "tool"}
OLDER_KEYS = {"function_call": "tool_calls"}
OLDER_ROLES = {"function": "tool"}
"""OpenAI's first form of calls, and what is in its place."""


def check_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """A copy of the messages, the parts of each content joined by line breaks, as in vLLM.

    RequestError unless each has a role and a content, both texts, and what else a `Message` may
    have. None counts as absent, and as an empty content where the assistant said it; so does what
    is empty, of what must not be there. Arguments of calls become objects, as templates want them.
    Which roles there are is the template's to say.
    """
    if not isinstance(messages, (list, tuple)):
        raise RequestError(f"messages={quote(messages)} must be a list of messages")
    if not messages:
        raise RequestError("messages=[] is empty: must have at least one message")
    return [_check_message(index, message) for index, message in enumerate(messages)]


def says_nothing(value: object) -> bool:
    """Whether a value of JSON is as if it were not there: null, false, or empty."""
    return value is None or value is False or (isinstance(value, (str, list, dict)) and not value)


def adapt_roles(messages: Sequence[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    """The messages with the roles that the template knows.

    OpenAI's `developer` is `system` to a template that does not mention it.
    """
    if "developer" in source:
        return list(messages)
    return [
        {**message, "role": "system"} if message["role"] == "developer" else message
        for message in messages
    ]


def _check_message(index: int, message: Message) -> dict[str, Any]:
    where = f"messages[{index}]"
    if not isinstance(message, Mapping):
        raise RequestError(f'{where} is {quote(message)}: must be {{"role": ..., "content": ...}}')
    for key, value in message.items():
        if key not in KEYS and not says_nothing(value):
            raise RequestError(f"{where} has {quote(key)}: {_right_key(key)}")
    checked: dict[str, Any] = {"role": _check_text(index, message, "role")}
    role = checked["role"]
    if role in OLDER_ROLES:
        raise RequestError(f"{where}['role'] is {role!r}: must be {OLDER_ROLES[role]!r}")
    if says_nothing(message.get("tool_calls")) or "content" in message:
        checked["content"] = _check_text(index, message, "content")
    else:
        checked["content"] = ""
    if message.get("name") is not None:
        checked["name"] = _check_text(index, message, "name")
    for key, speaker in KEYS_BY_ROLE.items():
        if says_nothing(message.get(key)):
            continue
        if role != speaker:
            raise RequestError(f"{where} has {key!r}: its role must be {speaker!r}, not {role!r}")
        is_list = key == "tool_calls"
        checked[key] = (
            check_calls(f"{where}['tool_calls']", message[key])
            if is_list
            else _check_text(index, message, key)
        )
    return checked


def _right_key(key: object) -> str:
    if key in OLDER_KEYS:
        return f"must be {OLDER_KEYS[str(key)]!r}, OpenAI's newer form"
    return "must have " + ", ".join(map(repr, KEYS[:-1])) + f" or {KEYS[-1]!r}"


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
