"""Calls of tools in the messages of a conversation, as OpenAI writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from foretell.errors import RequestError
from foretell.text.chat.arguments import check_json
from foretell.utils.quoting import quote

FORM = '{"id": ..., "type": "function", "function": {"name": ..., "arguments": ...}}'


def check_calls(where: str, calls: object) -> list[dict[str, Any]]:
    """A copy of an assistant's calls, the arguments of each an object.

    Arguments may be given as JSON in a string, as OpenAI does, or as an object. RequestError, which
    names `where`, for what is no call.
    """
    if not isinstance(calls, (list, tuple)):
        raise RequestError(f"{where} is {quote(calls)}: must be a list of {FORM}")
    return [_check_call(f"{where}[{index}]", call) for index, call in enumerate(calls)]


def _check_call(where: str, call: object) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise RequestError(f"{where} is {quote(call)}: must be {FORM}")
    kind, name, number = call.get("type", "function"), function.get("name"), call.get("id")
    if kind != "function":
        raise RequestError(f"{where}['type'] is {quote(kind)}: must be 'function'")
    if not isinstance(name, str) or not name:
        raise RequestError(f"{where}['function']['name'] is {quote(name)}: must be a tool's name")
    if not (number is None or isinstance(number, str)):
        raise RequestError(f"{where}['id'] is {quote(number)}: must be a string")
    arguments = _check_arguments(f"{where}['function']['arguments']", function.get("arguments"))
    checked = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return checked if number is None else {"id": number, **checked}


def _check_arguments(where: str, arguments: object) -> dict[str, Any]:
    value = arguments
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except (ValueError, RecursionError):
            value = None
    if value is None and arguments is None:
        value = {}
    if not isinstance(value, Mapping):
        raise RequestError(f"{where} is {quote(arguments)}: must be a JSON object")
    checked: dict[str, Any] = check_json(where, value)
    return checked
