"""Receipts of plain data, which may come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from typing import Any

from foretell.config.settings import FUNCTION_SETTINGS, SETTINGS
from foretell.errors import ReceiptError
from foretell.receipts.facts import AdapterFacts, ModelFacts, TokenFact
from foretell.utils.quoting import escape, quote

FORMAT = 1
OPTIONAL = ("score", "logprobs")

MAX_IDS = 1 << 22
MAX_ID = 2**31 - 1
MAX_TEXT = 1 << 24  # characters
MAX_WORD = 4096  # characters
MAX_FEW = 1024
FINISH_REASONS = ("stop", "length", "abort", "error")
HASH_DIGITS = 64

Check = Callable[[str, Any], Any]
"""From a field's path and a value to what is kept; raises `FieldError`."""


class FieldError(ValueError):
    """A field that no receipt has."""

    def __init__(self, path: str, value: object, right: str) -> None:
        super().__init__(f"{path} is {quote(value)}: must be {right}")


def checked_fields(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The fields of a receipt, of an object of JSON; ReceiptError, naming one, if it is none."""
    try:
        if data.get("format") != FORMAT:
            right = f"{FORMAT}, which this version of foretell writes"
            raise FieldError("format", data.get("format"), right)
        found = _fields("", data, RECEIPT, OPTIONAL)
        _check_whole(found)
    except FieldError as error:
        raise ReceiptError(f"{source} is no receipt: {error}") from None
    return found


def _check_whole(found: Mapping[str, Any]) -> None:
    """What fields say of each other."""
    for name in found["stated"]:
        if name not in found["settings"]:
            raise FieldError("stated", name, "the name of one of its settings")
    logprobs, number = found.get("logprobs"), len(found["token_ids"])
    if logprobs is not None and len(logprobs) != number:
        raise FieldError("logprobs", f"{len(logprobs)} entries", f"{number}, as many as tokens")


def _fields(
    path: str, value: Any, checks: Mapping[str, Check], optional: Container[str] = ()
) -> dict[str, Any]:
    """An object's fields, each checked."""
    if not isinstance(value, dict):
        raise FieldError(path, value, "an object")
    start = f"{path}." if path else ""
    for name in value:
        if name not in checks:
            place = f"{start}{_shown(name)}"
            raise FieldError(place, value[name], "absent: there is no such field")
    for name in checks:
        if name not in value and name not in optional:
            raise FieldError(f"{start}{name}", None, "there")
    return {name: checks[name](f"{start}{name}", value[name]) for name in value}


def _shown(name: str) -> str:
    return escape(name[:100])


def _text(path: str, value: Any, most: int = MAX_TEXT) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise FieldError(path, value, f"a text of at most {most} characters")
    return value


def _word(path: str, value: Any) -> str:
    return _text(path, value, MAX_WORD)


def _number(path: str, value: Any) -> float | int:
    if type(value) not in (int, float) or not _is_finite(value):
        raise FieldError(path, value, "a number")
    return value  # type: ignore[no-any-return]


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # of an int
        return False


def _count(path: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_ID:
        raise FieldError(path, value, f"a number from 0 to {MAX_ID}")
    return value


def _hash(path: str, value: Any) -> str:
    digits = set("0123456789abcdef")
    if not isinstance(value, str) or len(value) != HASH_DIGITS or not {*value} <= digits:
        raise FieldError(path, value, f"{HASH_DIGITS} hexadecimal digits")
    return value


def _finish_reason(path: str, value: Any) -> str:
    if not isinstance(value, str) or value not in FINISH_REASONS:
        raise FieldError(path, value, f"one of {', '.join(FINISH_REASONS)}")
    return value


def _stop_value(path: str, value: Any) -> int | float | str:
    return _text(path, value) if isinstance(value, str) else _number(path, value)


def _option(path: str, value: Any) -> Any:
    return value if type(value) in (bool, int) else _word(path, value)


def _options(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > MAX_FEW:
        raise FieldError(path, value, "an object of a few options")
    return {_word(path, name): _option(f"{path}.{_shown(name)}", value[name]) for name in value}


def _settings(path: str, value: Any) -> dict[str, Any]:
    """Settings by name; what they are `GenerationConfig` checks."""
    if not isinstance(value, dict):
        raise FieldError(path, value, "an object")
    for name in value:
        if name not in SETTINGS:
            raise FieldError(
                f"{path}.{_shown(name)}", value[name], "absent: there is no such setting"
            )
    _word(f"{path}.dialect", value.get("dialect"))
    return value


def _function(path: str, value: Any) -> str:
    if not isinstance(value, str) or value not in FUNCTION_SETTINGS:
        raise FieldError(path, value, f"among {', '.join(FUNCTION_SETTINGS)}")
    return value


def _optional(check: Check) -> Check:
    return lambda path, value: None if value is None else check(path, value)


def _several(check: Check, most: int) -> Check:
    def several(path: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise FieldError(path, value, "a list")
        if len(value) > most:
            raise FieldError(path, f"a list of {len(value)}", f"one of at most {most}")
        return tuple(check(f"{path}[{index}]", one) for index, one in enumerate(value))

    return several


def _ids(path: str, value: Any) -> tuple[int, ...]:
    """Token ids; in one look, since they may be many."""
    if isinstance(value, list) and len(value) <= MAX_IDS:
        good = {*map(type, value)} <= {int} and (
            not value or (min(value) >= 0 and max(value) <= MAX_ID)
        )
        if good:
            return tuple(value)
    return _several(_count, MAX_IDS)(path, value)  # type: ignore[no-any-return]


def _pair(path: str, value: Any) -> tuple[int, float | None]:
    if not isinstance(value, list) or len(value) != 2:
        raise FieldError(path, value, "a token id and a number")
    return _count(path, value[0]), _optional(_number)(path, value[1])


def _fact(path: str, value: Any) -> TokenFact:
    return TokenFact(**_fields(path, value, TOKEN))


def _adapter(path: str, value: Any) -> AdapterFacts:
    return AdapterFacts(**_fields(path, value, ADAPTER))


def _model(path: str, value: Any) -> ModelFacts:
    return ModelFacts(**_fields(path, value, MODEL))


TOKEN: Mapping[str, Check] = {"logprob": _optional(_number), "top": _several(_pair, MAX_FEW)}
ADAPTER: Mapping[str, Check] = {"name": _word, "sha256": _optional(_hash), "weight": _number}
MODEL: Mapping[str, Check] = {
    "name": _optional(_word),
    "sha256": _optional(_hash),
    "tokenizer_sha256": _hash,
    "backend": _word,
    "weights": _word,
    "options": _options,
    "adapters": _several(_adapter, MAX_FEW),
    "speculation": _optional(_word),
}
RECEIPT: Mapping[str, Check] = {
    "foretell": _word,
    "model": _model,
    "settings": _settings,
    "stated": _several(_word, MAX_FEW),
    "functions": _several(_function, MAX_FEW),
    "prompt_token_ids": _ids,
    "index": _count,
    "token_ids": _ids,
    "text": _text,
    "finish_reason": _finish_reason,
    "stop_kind": _optional(_word),
    "stop_value": _optional(_stop_value),
    "num_tokens": _count,
    "score": _optional(_number),
    "logprobs": _optional(_several(_fact, MAX_IDS)),
    "format": _count,
}
"""How each field is checked."""
