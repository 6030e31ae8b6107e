"""The recipe's drafter, of runs, at work; `test_recipes.py` runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.speculated import repeating
from support.toy import VOCAB_SIZE, engine_of, toy_tokenizer

import foretell
from foretell import LLM, ConfigError
from foretell.backends.scripted import ScriptedBackend
from foretell.cli.main import cli
from foretell.cli.options import _speculation
from foretell.decoding.drafts.runs import RunDrafter


def test_the_copy_is_what_is_tested() -> None:
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


def test_a_model_is_opened_with_it() -> None:
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)
    with LLM(backend, tokenizer=toy_tokenizer(), speculation="runs") as llm:
        assert isinstance(engine_of(llm)._speculator._drafter, RunDrafter)


def test_the_shell_and_the_errors_name_it() -> None:
    assert _speculation("runs") == "runs"
    assert "auto|lookup|runs|none|MODEL" in CliRunner().invoke(cli, ["generate", "--help"]).output
    with pytest.raises(ConfigError, match="must be 'auto', 'lookup', 'runs', None"):
        LLM("x", speculation="run")
