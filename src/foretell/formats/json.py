"""JSON files of a model's folder, which come from anywhere."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from foretell.errors import ModelFileError, ModelNotFoundError
from foretell.utils.quoting import escape, one_line, quote

MAX_BYTES = 1 << 24
NO_SPACE = re.compile(r"[^ \t\r\n]")
ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_object(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it cannot be read, is larger than `max_bytes`, or is no JSON object.
    """
    return parse_object(read_text(path, max_bytes), escape(path))


def read_optional_object(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any] | None:
    """As `read_object`; None where nothing lies at the path."""
    return read_object(path, max_bytes) if path.exists() or path.is_symlink() else None


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The UTF-8 text of a regular file; errors are those of `read_object`."""
    try:
        return read_bytes(path, max_bytes).decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(
            f"{escape(path)} has a broken byte at {error.start}: must be UTF-8"
        ) from None


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file; errors are those of `read_object`."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise ModelFileError(f"{escape(path)} is not a regular file")
        if info.st_size > max_bytes:
            raise ModelFileError(
                f"{escape(path)} has {info.st_size} bytes: must have at most {max_bytes}"
            )
        with path.open("rb") as file:
            return file.read(info.st_size)  # links into /proc state 0, and may never end
    except FileNotFoundError:
        gone = "is a link to nothing" if path.is_symlink() else "is missing"
        raise ModelNotFoundError(f"{escape(path)} {gone}") from None
    except OSError as error:
        raise ModelFileError(f"{escape(path)} cannot be read: {error.strerror or error}") from None


def parse_object(text: str, source: str) -> dict[str, Any]:
    """The object that a JSON text holds, each key once and all of it Unicode.

    ModelFileError names `source`.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        _check_unicode(value, text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{source} is not JSON: {one_line(error)}") from None
    if not isinstance(value, dict):
        raise ModelFileError(f"{source} holds a {type(value).__name__}: must hold a JSON object")
    return value


def parse_objects(text: str, source: str) -> list[dict[str, Any]]:
    """The objects of a text that holds several, one behind the other, as `parse_object` has one."""
    decoder, found = json.JSONDecoder(object_pairs_hook=_unique), []
    start = _next(text, 0)
    while start < len(text):
        try:
            value, end = decoder.raw_decode(text, start)
            _check_unicode(value, text[start:end])
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{source} is not JSON: {one_line(error)}") from None
        if not isinstance(value, dict):
            raise ModelFileError(f"{source} holds a {type(value).__name__}: must hold JSON objects")
        found.append(value)
        start = _next(text, end)
    return found


def _next(text: str, start: int) -> int:
    """Where the next value begins, or the text ends."""
    found = NO_SPACE.search(text, start)
    return len(text) if found is None else found.start()


def _check_unicode(value: Any, text: str) -> None:
    """Refuse lone surrogates, which escapes can spell and nothing can encode or print."""
    if not ESCAPED_SURROGATE.search(text):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        lone = error.object[error.start]
        raise ValueError(f"it has the lone surrogate {lone!r}: must be Unicode") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {quote(twice)} appears twice")
    return found
