"""The `input` of `/v1/responses`: from a text, or a list of items, to messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.server.errors import ApiError, invalid
from foretell.server.limits import MAX_MESSAGES
from foretell.utils.quoting import quote

ROLES = ("user", "assistant", "system", "developer")
TEXT_PARTS = ("input_text", "output_text", "text")


def messages_of(found: Any, instructions: str | None) -> list[dict[str, Any]]:
    """The conversation that an input and its instructions are; ApiError if they are none.

    What an assistant's item has beside its text (`id`, `status`, `annotations`) was in an answer of
    this server, and is left out.
    """
    messages = [] if instructions is None else [{"role": "system", "content": instructions}]
    if isinstance(found, str):
        return [*messages, {"role": "user", "content": found}]
    if not isinstance(found, list) or not found:
        raise invalid("input must be a text, or a list of messages that is not empty", "input")
    if len(found) > MAX_MESSAGES:
        raise invalid(f"input must have at most {MAX_MESSAGES} messages", "input")
    return [*messages, *(_message(f"input[{index}]", item) for index, item in enumerate(found))]


def _message(where: str, item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise _malformed(f'{where} is {quote(item)}: must be {{"role": ..., "content": ...}}')
    kind, role = item.get("type"), item.get("role")
    if kind not in (None, "message"):
        raise _malformed(f"{where} is of type {quote(kind)}: must be 'message', no other is read")
    if role not in ROLES:
        raise _malformed(f"{where} has role={quote(role)}: must be one of {', '.join(ROLES)}")
    content = item.get("content")
    if isinstance(content, list):
        parts = [_text(f"{where}.content[{index}]", part) for index, part in enumerate(content)]
        content = "\n".join(parts)
    if not isinstance(content, str):
        raise _malformed(f"{where} has content={quote(content)}: must be a text, or text parts")
    return {"role": role, "content": content}


def _text(where: str, part: Any) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in TEXT_PARTS:
        told = quote(part) if kind is None else f"of type {quote(kind)}"
        raise _malformed(f"{where} is {told}: must be one of {', '.join(TEXT_PARTS)}")
    text = part.get("text")
    if not isinstance(text, str):
        raise _malformed(f"{where} has text={quote(text)}: must be a text")
    return text


def _malformed(message: str) -> ApiError:
    return invalid(message, "input")
