"""Variables that a request gives to a chat template besides the messages."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from foretell.errors import RequestError
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

MAX_DEPTH = 32  # of lists and objects in each other
MAX_INTEGER = 2**63

_NAME = "template_arguments"


def check_arguments(arguments: object, reserved: Collection[str]) -> dict[str, Any]:
    """A copy of the arguments, in Python's own types; nothing at all of None.

    RequestError unless they are plain JSON, and none has a name that is `reserved`.
    """
    if arguments is None:
        return {}
    if not isinstance(arguments, Mapping):
        raise RequestError(f"{_NAME}={quote(arguments)} must be a mapping of names to values")
    checked = {}
    for name, value in arguments.items():
        if name in reserved:
            raise RequestError(
                f"{_NAME} has {name!r}: must not replace what the template is given anyway"
            )
        where = f"{_NAME}[{quote(name)}]"
        checked[_check_text(_NAME, name)] = check_json(where, value)
    return checked


def check_json(where: str, value: object, room: int = MAX_DEPTH) -> Any:
    """A copy of a value of JSON's types, in Python's own types; RequestError names `where`.

    Lists and objects may lie in each other `room` deep.
    """
    if room == 0:
        raise RequestError(f"{where} is too deep: must have at most {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {
            _check_text(where, key): check_json(where, one, room - 1) for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [check_json(where, one, room - 1) for one in value]
    if isinstance(value, str):
        return _check_text(where, value)
    if value is None or isinstance(value, bool) or _is_plain_number(value):
        return value
    raise RequestError(
        f"{where} has {quote(value)}: must be plain JSON: texts, numbers, true, false, null, "
        "and lists and objects of these"
    )


def _check_text(where: str, text: object) -> str:
    if not isinstance(text, str):
        raise RequestError(f"{where} has the name {quote(text)}: must be a string")
    if has_surrogate(text):
        raise RequestError(f"{where} has a lone surrogate: must be Unicode")
    return text


def _is_plain_number(value: object) -> bool:
    if isinstance(value, int):
        return -MAX_INTEGER <= value < MAX_INTEGER
    return isinstance(value, float) and math.isfinite(value)
