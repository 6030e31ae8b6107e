"""The recipe's setting, a limit, at work wherever limits are; `test_recipes.py` runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.toy import toy_llm

import foretell
from foretell import ConfigError, GenerationConfig
from foretell.cli.main import cli

PROMPT = [70, 71, 72, 73]


def run(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_the_copy_that_is_looked_at():
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


def test_its_range_is_checked_and_it_does_not_sample():
    assert not GenerationConfig(max_new_ratio=0.5).is_sampling
    with pytest.raises(ConfigError, match="max_new_ratio=0 is out of range: must be a finite"):
        GenerationConfig(max_new_ratio=0)


@pytest.mark.parametrize(("ratio", "length"), [(0.5, 2), (1.1, 5)])
def test_it_ends_the_output(ratio, length):
    with toy_llm() as llm:
        output = llm.generate(PROMPT, max_new_ratio=ratio, ignore_eos=True)
    assert (len(output.token_ids), output.finish_reason) == (length, "length")
    assert output.config.as_dict()["max_new_ratio"] == ratio


def test_the_guide_and_help_have_it_under_its_heading():
    assert "  option        --max-new-ratio\n  legal         > 0\n" in run("guide", "max-new-ratio")
    group = run("guide").split("Length and end")[1].split("Reports")[0]
    assert "  max_new_ratio         > 0" in group
    shown = run("generate", "--help").split("Length and end:")[1].split("Reports:")[0]
    assert "  --max-new-ratio FLOAT" in shown


def test_it_is_an_option_where_texts_are_written(monkeypatch):
    monkeypatch.setattr("foretell.llm.LLM", lambda *_, **__: toy_llm())
    arguments = ["the cat", "--max-new-ratio", "0.5", "--json"]
    assert json.loads(run("generate", *arguments))["config"]["max_new_ratio"] == 0.5
    assert "--max-new-ratio" not in run("next", "--help")
    with toy_llm() as llm, pytest.raises(ConfigError, match="has no effect on the next token's"):
        llm.next(PROMPT, max_new_ratio=1.0)
