"""One line of a job's input: a request, or why it is none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from foretell.utils.quoting import one_line, quote
from foretell.utils.surrogates import has_surrogate

URLS = ("/v1/chat/completions", "/v1/completions")
MAX_ID_CHARACTERS = 512
SEED_BITS = 53  # what JSON's readers keep exactly


class Row(NamedTuple):
    """A request of a job.

    Attributes:
        custom_id: what it is called; no two rows have the same.
        url: the route that it asks.
        body: what it asks for.
        fault: why it cannot be asked; None if it can.
    """

    custom_id: str
    url: str = URLS[0]
    body: Mapping[str, Any] = MappingProxyType({})
    fault: str | None = None


def read_row(line: bytes, number: int) -> Row:
    """The row that a line holds.

    Two forms are known: OpenAI's (`custom_id`, `method`, `url`, `body`), and plain ones: a body of
    completions or chats, which has `prompt` or `messages`, with a `custom_id` if it has one.

    Args:
        line: the line.
        number: of the line, from 1: a row without an id is called `row-<number>`.
    """
    try:
        data = json.loads(line.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return Row(_name(number), fault=f"line {number} is not JSON: {one_line(error)}")
    if not isinstance(data, dict):
        return Row(_name(number), fault=f"line {number} is {quote(data)}: must be a JSON object")
    stated = data.pop("custom_id", None)
    if stated is None:
        return _read(data, _name(number))
    is_name = isinstance(stated, str) and 0 < len(stated) <= MAX_ID_CHARACTERS
    if not is_name or (not stated.isascii() and has_surrogate(stated)):
        reason = f"must be a text of 1 to {MAX_ID_CHARACTERS} characters"
        return Row(_name(number), fault=f"custom_id={quote(stated)} {reason}")
    return _read(data, stated)


def _name(number: int) -> str:
    return f"row-{number}"


def _read(data: dict[str, Any], name: str) -> Row:
    if "body" not in data:
        return Row(name, URLS[0] if "messages" in data else URLS[1], data)
    body, url, method = data["body"], data.get("url"), data.get("method", "POST")
    if url not in URLS:
        return Row(name, fault=f"url={quote(url)} must be {' or '.join(URLS)}")
    if method != "POST":
        return Row(name, fault=f"method={quote(method)} must be POST")
    if not isinstance(body, dict):
        return Row(name, fault=f"body={quote(body)} must be an object")
    return Row(name, url, body)


def row_seed(job_seed: int, custom_id: str) -> int:
    """The seed of a row that states none: the same wherever, and whenever, it is run."""
    digest = hashlib.blake2b(f"{job_seed}\0{custom_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - SEED_BITS)
