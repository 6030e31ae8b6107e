"""`foretell infill`, with a toy model that has tokens for a gap."""

from __future__ import annotations

import json

import pytest
from support.toy import toy_llm
from support.toy_infill import GAP, PREFIX, SUFFIX, infill_llm

TEXT = f"{PREFIX}<FILL_ME>{SUFFIX}"


@pytest.fixture(autouse=True)
def model(shell):
    shell.model(infill_llm)


def test_what_fills_the_gap_is_printed(shell, tmp_path):
    assert shell.run("infill", TEXT).out.strip() == GAP
    path = tmp_path / "a.py"
    path.write_text(f"{PREFIX}___{SUFFIX}\n")
    assert shell.run("infill", "--file", str(path), "--gap", "___").out.strip() == GAP


def test_json_is_the_output(shell):
    found = json.loads(shell.run("infill", TEXT, "--json").out)
    assert (found["text"], found["finish_reason"]) == (GAP, "stop")


@pytest.mark.parametrize("text", ["a = ", "a <FILL_ME> <FILL_ME>"])
def test_a_text_must_have_one_gap(shell, text):
    result = shell.run("infill", text)
    assert result.code == 2
    assert "must have one" in result.err


def test_a_model_without_tokens_for_it_is_named(shell):
    shell.model(toy_llm)
    result = shell.run("infill", TEXT)
    assert result.code == 2
    assert "this model has no tokens for a gap" in result.err
