"""`foretell choose`, with a toy model."""

from __future__ import annotations

import json
import re

import pytest
from support.toy import toy_llm

from foretell import Receipt

OPTIONS = ("--max-new-tokens", "5", "--seed", "3", "-n", "4", "--temperature", "1.1")
WISHES = {"max_new_tokens": 5, "seed": 3, "num_return_sequences": 4, "temperature": 1.1}


@pytest.fixture(autouse=True)
def model(shell):
    shell.model(toy_llm)


def test_the_list_is_the_choice(shell):
    with toy_llm() as llm:
        assert shell.run("choose", "the", *OPTIONS).out == f"{llm.choose('the', **WISHES)}\n"


def test_a_number_alone_is_of_samples_that_are_drawn(shell):
    found = shell.run("choose", "the", "--max-new-tokens", "5", "-n", "3", "--seed", "4")
    with toy_llm() as llm:
        expected = llm.choose("the", max_new_tokens=5, num_return_sequences=3, seed=4)
    assert found.out == f"{expected}\n"


def test_the_settings_and_the_seed_are_told_on_stderr(shell):
    found = shell.run("choose", "the", "--max-new-tokens", "5")
    assert "do_sample=True" in found.err
    seed = re.search(r"seed=(\d+)", found.err)[1]
    again = shell.run("choose", "the", "--max-new-tokens", "5", "--seed", seed)
    assert again.out == found.out


def test_one_sample_leaves_no_choice(shell):
    found = shell.run("choose", "the", "-n", "1")
    assert found.code == 2
    assert "num_return_sequences=1 leaves nothing to choose: must be 2 or more" in found.err


def test_json_is_the_choice(shell):
    found = json.loads(shell.run("choose", "the", "--by", "likelihood", *OPTIONS, "--json").out)
    with toy_llm() as llm:
        assert found == llm.choose("the", by="likelihood", **WISHES).to_dict()


def test_the_receipt_is_that_of_the_text_that_was_chosen(shell, tmp_path):
    path = tmp_path / "receipt.json"
    found = json.loads(shell.run("choose", "the", *OPTIONS, "--json", "--receipt", str(path)).out)
    receipt = Receipt.load(path)
    assert (receipt.index, receipt.seed) == (found["best_index"], 3)
    with toy_llm() as llm:
        assert llm.replay(receipt).identical
    missing = shell.run("choose", "the", "--receipt", str(tmp_path / "none" / "receipt.json"))
    assert (missing.code, missing.out) == (1, "")
    assert "its folder is missing" in missing.err
