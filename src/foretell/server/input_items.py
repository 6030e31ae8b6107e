"""The `input` of `/v1/responses`: from a text, or a list of items, to messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.server.errors import ApiError, invalid, wrong
from foretell.server.limits import MAX_MESSAGES
from foretell.server.messages import ROLES, known_part
from foretell.server.sorting import Fields
from foretell.utils.quoting import quote

TEXT_PARTS = ("input_text", "output_text", "text")


_OF_ITEMS = ("id", "status")
_OF_PARTS = ("annotations", "logprobs", "token_ids")
"""What an answer's item has beside its text: it comes back with the item, and is left out."""


def messages_of(fields: Fields, instructions: str | None) -> list[dict[str, Any]]:
    """The conversation that an input and its instructions are; ApiError if they are none.

    What is unknown in an item is passed over, as in a chat's messages.
    """
    found = fields.own.get("input")
    messages = [] if instructions is None else [{"role": "system", "content": instructions}]
    if isinstance(found, str):
        return [*messages, {"role": "user", "content": found}]
    if found is None:
        raise wrong("input", found, "a text, or a list of messages")
    if not isinstance(found, list) or not found:
        raise invalid("input must be a text, or a list of messages that is not empty", "input")
    if len(found) > MAX_MESSAGES:
        raise invalid(f"input must have at most {MAX_MESSAGES} messages", "input")
    for index, item in enumerate(found):
        _add(messages, _message(fields, f"input[{index}]", item))
    return messages


def _add(messages: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Add a message; calls, and a text before calls, are one message of the assistant's."""
    last = messages[-1] if messages else {}
    if "tool_calls" in message and last.get("role") == "assistant":
        messages[-1] = {**last, "tool_calls": [*last.get("tool_calls", ()), *message["tool_calls"]]}
    else:
        messages.append(message)


def _message(fields: Fields, where: str, item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise _malformed(f'{where} is {quote(item)}: must be {{"role": ..., "content": ...}}')
    kind = item.get("type", "message") or "message"
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        kinds = ", ".join(map(repr, _READERS))
        raise _malformed(f"{where} is of type {quote(kind)}: must be one of {kinds}")
    return read(fields, where, item)


def _spoken(fields: Fields, where: str, item: Mapping[str, Any]) -> dict[str, Any]:
    role = item.get("role")
    if role not in ROLES:
        raise _malformed(f"{where} has role={quote(role)}: must be one of {', '.join(ROLES)}")
    item = known_part(fields, where, item, ("type", "role", "content"), _OF_ITEMS)
    content = item.get("content")
    if isinstance(content, list):
        content = "\n".join(
            _text(fields, f"{where}.content[{index}]", part) for index, part in enumerate(content)
        )
    if not isinstance(content, str):
        raise _malformed(f"{where} has content={quote(content)}: must be a text, or text parts")
    return {"role": role, "content": content}


def _called(fields: Fields, where: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """A call of a tool, as the message in which it was made."""
    item = known_part(
        fields, where, item, ("type", "call_id", "name", "arguments"), (*_OF_ITEMS, "namespace")
    )
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    call = {"id": item.get("call_id"), "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _returned(fields: Fields, where: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """What a tool returned."""
    item = known_part(fields, where, item, ("type", "call_id", "output"), _OF_ITEMS)
    output = item.get("output")
    if isinstance(output, list):
        output = "\n".join(
            _text(fields, f"{where}.output[{index}]", part) for index, part in enumerate(output)
        )
    if not isinstance(output, str):
        raise _malformed(f"{where} has output={quote(output)}: must be a text, or text parts")
    return {"role": "tool", "tool_call_id": item.get("call_id"), "content": output}


_READERS = {
    "message": _spoken,
    "function_call": _called,
    "function_call_output": _returned,
}


def _text(fields: Fields, where: str, part: Any) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in TEXT_PARTS:
        told = quote(part) if kind is None else f"of type {quote(kind)}"
        raise _malformed(f"{where} is {told}: must be one of {', '.join(TEXT_PARTS)}")
    text = known_part(fields, where, part, ("type", "text"), _OF_PARTS).get("text")
    if not isinstance(text, str):
        raise _malformed(f"{where} has text={quote(text)}: must be a text")
    return text


def _malformed(message: str) -> ApiError:
    return invalid(message, "input")
