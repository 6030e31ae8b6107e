"""Messages as clients send them: what is unknown in one is noted, as an unknown field is.

Clients send back what other servers have answered, with keys that say nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from foretell.server.errors import invalid, wrong
from foretell.server.limits import MAX_MESSAGES
from foretell.server.sorting import Fields
from foretell.text.chat.messages import KEYS, OLDER_KEYS, OLDER_ROLES, says_nothing
from foretell.utils.quoting import quote

ROLES = ("system", "developer", "user", "assistant", "tool")
"""Who may speak."""


def chat_messages(fields: Fields) -> list[Any]:
    """The messages of a chat, without what is unknown in them; ApiError if they are no list.

    OpenAI's older form of calls is still there, to be refused with all else that no template can be
    given.
    """
    sent = fields.own.get("messages")
    if sent is None:
        raise wrong("messages", sent, "a list of messages")
    if not isinstance(sent, list) or not sent:
        raise invalid("messages must be a list of messages, and not empty", "messages")
    if len(sent) > MAX_MESSAGES:
        most = f"must have at most {MAX_MESSAGES}"
        raise invalid(f"messages has {len(sent)} entries: {most}", "messages")
    return [_chat_message(fields, f"messages[{index}]", one) for index, one in enumerate(sent)]


def _chat_message(fields: Fields, where: str, sent: Any) -> Any:
    message = known_part(fields, where, sent, (*KEYS, *OLDER_KEYS))
    role = message.get("role") if isinstance(message, dict) else None
    if isinstance(role, str) and role not in (*ROLES, *OLDER_ROLES):
        roles = ", ".join(ROLES)
        raise invalid(f"{where}['role'] is {quote(role)}: must be one of {roles}", "messages")
    if isinstance(message, dict) and isinstance(message.get("content"), list):
        message["content"] = [
            _chat_part(fields, f"{where}.content[{index}]", part)
            for index, part in enumerate(message["content"])
        ]
    return message


def _chat_part(fields: Fields, where: str, sent: Any) -> Any:
    """A part of a content; what is no text is left as it is, to be refused."""
    is_text = isinstance(sent, Mapping) and sent.get("type") == "text"
    return known_part(fields, where, sent, ("type", "text")) if is_text else sent


def known_part(
    fields: Fields, where: str, sent: Any, known: Collection[str], harmless: Collection[str] = ()
) -> Any:
    """An object without its unknown keys, which are noted unless their values say nothing.

    `harmless` keys are left out, and not noted. What is no object is as it was.
    """
    if not isinstance(sent, Mapping):
        return sent
    for key, value in sent.items():
        if not (key in known or key in harmless or says_nothing(value)):
            fields.pass_over(f"{where}.{key}")
    return {key: value for key, value in sent.items() if key in known}
