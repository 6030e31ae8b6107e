"""The recipe's field, `return_token_bytes` of `/tokenize`, at work; `test_recipes.py` runs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from support.asgi import Answer, call
from support.server_fields import tables
from support.toy_async import run
from support.toy_server import serving

import foretell
from foretell.server.options import ServerOptions

STRICT = ServerOptions(model_names=("toy",), strict=True)


def answers(options: ServerOptions, *asked: tuple[str, Any]) -> list[Answer]:
    found = []

    async def ask() -> None:
        async with serving(options=options) as toy:
            found.extend([await call(toy.app, path, body) for path, body in asked])

    run(ask)
    return found


def test_the_copy_is_what_is_tested() -> None:
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


def test_it_is_known_at_its_route_alone() -> None:
    body = {"prompt": "the", "return_token_bytes": True, "max_tokens": 1}
    at_home, elsewhere = answers(
        STRICT, ("/tokenize", {**body, "max_tokens": None}), ("/v1/completions", body)
    )
    assert at_home.status == 200
    assert elsewhere.error["code"] == "unknown_parameter"


def test_the_page_gets_a_row() -> None:
    assert "| `return_token_bytes` | whether to tell each token's bytes |" in tables()
