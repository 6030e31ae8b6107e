"""Requests that no kind client would send, from a seed: bodies bent in one place or several."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from foretell.config.settings import SETTINGS

HELLO = [{"role": "user", "content": "hello"}]

SOUND: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO, "max_tokens": 4, "seed": 1},
    "/v1/completions": {"prompt": "the cat", "max_tokens": 4, "seed": 1},
    "/v1/responses": {"input": "hello", "max_output_tokens": 4, "seed": 1},
    "/tokenize": {"prompt": "the cat"},
    "/detokenize": {"tokens": [1, 2, 3]},
    "/v1/foretell/next": {"prompt": "the cat"},
    "/v1/foretell/score": {"prompt": "the cat"},
    "/v1/foretell/explain": {"prompt": "the cat", "max_new_tokens": 3},
    "/v1/foretell/beams": {"prompt": "the cat", "max_new_tokens": 3},
    "/v1/foretell/compare": {"prompt": "the cat", "max_new_tokens": 3, "seeds": 1},
    "/v1/foretell/alternatives": {"prompt": "the cat", "position": 1, "max_new_tokens": 3},
}
"""A body for each route that would be answered."""

FIELDS = (
    *SETTINGS,
    *("model", "n", "max_tokens", "stream", "stream_options", "echo", "suffix", "tools", "user"),
    *("response_format", "top_logprobs", "logit_bias", "priority", "chat_template_kwargs"),
    *("continue_final_message", "add_generation_prompt", "return_token_ids", "best_of", "top"),
    *("instructions", "include", "text", "strategies", "seeds", "position", "parse_special"),
)

Value = Callable[[random.Random], Any]

VALUES: tuple[Value, ...] = (
    lambda rng: None,
    lambda rng: rng.choice((True, False)),
    lambda rng: rng.choice((0, 1, -1, 2, 7, 127, 2**31, 2**63, -(2**63), 2**64, 10**30)),
    lambda rng: rng.choice((0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, 3.0, 1.0000001)),
    lambda rng: rng.choice(("", " ", "a", "0", "true", "null", "raw", "final", "never", "\x00")),
    lambda rng: rng.choice(("\ud800", "\U0010ffff", "\u202e", "한국어", "<|end|>", "\r\n\r\n")),
    lambda rng: "x" * rng.choice((33, 4097, 100_000)),
    lambda rng: rng.choice(("(a+)+$", "[", "(?P<a>", "a{99999}", ".*", "(" * 500, "\\1")),
    lambda rng: [],
    lambda rng: {},
    lambda rng: [[]],
    lambda rng: [{}],
    lambda rng: [None] * rng.choice((1, 3, 2000)),
    lambda rng: [rng.randrange(-2, 400) for _ in range(rng.choice((1, 5, 300)))],
    lambda rng: ["a"] * rng.choice((1, 4, 40, 3000)),
    lambda rng: {"a": 1, "": 2, "5": 3.5, "-1": 1},
    lambda rng: {str(one): 1 for one in range(rng.choice((3, 3000)))},
    lambda rng: [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    lambda rng: [{"role": rng.choice(("system", "tool", "", 3, "assistant")), "content": None}],
    lambda rng: [{"role": "user", "content": "refuse", "name": "\n", "tool_calls": [1]}],
    lambda rng: _nested(rng.choice((3, 50, 400)), rng),
)


@dataclass(frozen=True)
class Hostile:
    """A request: where it is sent, by which method, with which bytes."""

    path: str
    body: bytes
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    leaves: bool = False


def hostile_requests(count: int, seed: int) -> Iterator[Hostile]:
    """So many requests."""
    rng = random.Random(seed)
    for _ in range(count):
        path = rng.choice([*SOUND])
        body = _bent(copy.deepcopy(SOUND[path]), rng)
        data = json.dumps(body).encode()
        if rng.random() < 0.15:
            data = _broken(data, rng)
        method = "POST" if rng.random() < 0.95 else rng.choice(("GET", "PUT", "DELETE", "HEAD"))
        if rng.random() < 0.05:
            path = rng.choice(
                (path + "/", "/" + path, path[:-1], "/v1/../health", "/%2e%2e/x", "/")
            )
        yield Hostile(path, data, method, _headers(rng), leaves=rng.random() < 0.1)


def _bent(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    for _ in range(rng.choice((1, 1, 2, 4))):
        name = rng.choice(FIELDS) if rng.random() < 0.7 else rng.choice([*body, "frobnicate"])
        body[name] = rng.choice(VALUES)(rng)
        if rng.random() < 0.1:
            body.pop(rng.choice([*body]), None)
    return body


def _broken(data: bytes, rng: random.Random) -> bytes:
    """The same bytes with a fault in them."""
    place = rng.randrange(len(data)) if data else 0
    kinds: tuple[bytes, ...] = (
        data[:place],
        data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :],
        data + data,
        b"[" * rng.choice((10, 100_000)),
        b'{"a":' * rng.choice((10, 50_000)) + b"1" + b"}" * 10,
        data.replace(b"4", b"NaN"),
        data.replace(b"4", b"1e999"),
        data.replace(b"4", b"4" * 6000),
        data.decode().encode("utf-16"),
        rng.randbytes(200),
    )
    return rng.choice(kinds)


def _headers(rng: random.Random) -> dict[str, str]:
    if rng.random() < 0.8:
        return {}
    return rng.choice(
        (
            {"content-type": "text/plain"},
            {"content-length": "-1"},
            {"content-length": "99999999999999999999"},
            {"x-request-id": "x" * 1000},
            {"x-request-id": "a\tb"},
            {"accept": "application/xml"},
            {"origin": "null"},
            {"origin": "http://evil.example"},
            {"host": "evil.example"},
            {"host": ""},
            {"authorization": "Bearer " + "k" * 5000},
        )
    )


def _nested(depth: int, rng: random.Random) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found] if rng.random() < 0.5 else {"a": found}
    return found
