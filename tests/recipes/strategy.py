"""The recipe's strategy, for a single allowed token, at work; `test_recipes.py` runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.toy import toy_llm

import foretell
from foretell import GenerationConfig
from foretell.cli.main import cli
from foretell.decoding.strategies import strategy_for
from foretell.decoding.strategies.forced import ForcedStrategy

ONLY = {"allowed_token_ids": [7], "max_new_tokens": 9}


def test_the_copy_is_what_is_tested() -> None:
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


@pytest.mark.parametrize(
    ("settings", "is_taken"),
    [
        ({"allowed_token_ids": [7]}, True),
        ({"allowed_token_ids": [7], "temperature": 0.5}, True),
        ({"allowed_token_ids": [7, 8]}, False),
        ({"allowed_token_ids": [7], "logprobs": 0}, False),
        ({"allowed_token_ids": [7], "trace": True}, False),
        ({"allowed_token_ids": [7], "num_beams": 2}, False),
        ({}, False),
    ],
)
def test_it_is_taken_for_what_suits_it(settings, is_taken):
    kind = strategy_for(GenerationConfig(**settings), is_guided=False)
    assert (kind is ForcedStrategy) == is_taken


def test_it_streams_in_company():
    with toy_llm() as llm:
        alone = llm.generate("the cat", temperature=0.9, seed=3, max_new_tokens=9)
        forced = llm.stream("the cat", **ONLY)
        drawn = llm.stream("the cat", temperature=0.9, seed=3, max_new_tokens=9)
        chunks = [chunk for pair in zip(forced, drawn, strict=True) for chunk in pair]
    assert [token_id for chunk in chunks[::2] for token_id in chunk.token_ids] == [7] * 9
    assert "".join(chunk.text for chunk in chunks[1::2]) == alone.text


def test_the_shell_has_it(monkeypatch):
    monkeypatch.setattr("foretell.llm.LLM", lambda *_, **__: toy_llm())
    options = ["--allowed-token-ids", "7", "--max-new-tokens", "9", "--json"]
    result = CliRunner().invoke(cli, ["generate", "the cat", *options])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["token_ids"] == [7] * 9
