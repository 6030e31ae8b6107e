"""`foretell watermark`, with a toy model."""

from __future__ import annotations

import json

import pytest
from support.toy import toy_llm

KEY = "hashing_key=77,bias=9"
TEXT = "the cat saw the cat"


@pytest.fixture(autouse=True)
def model(shell):
    shell.model(toy_llm)


def test_json_is_the_evidence(shell):
    found = json.loads(shell.run("watermark", TEXT, "--json").out)
    with toy_llm() as llm:
        assert found == llm.detect_watermark(TEXT).to_dict()


def test_a_marked_text_is_recognized(shell):
    wishes = {"max_new_tokens": 50, "suppress_tokens": [*range(33), *range(94, 256), 261, 262]}
    with toy_llm() as llm:
        text = llm.generate("the", watermark={"hashing_key": 77, "bias": 9}, **wishes).text
    shell.stdin(text.encode())
    assert shell.run("watermark", "--watermark", KEY).out.startswith("a watermark: ")
    shell.stdin(text.encode())
    assert shell.run("watermark").out.startswith("no sign of a watermark: ")


FORM = "must be on|NAME=VALUE[,NAME=VALUE...], of greenlist_ratio, bias, hashing_key, "


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("key=3", f"watermark='key=3' {FORM}"),
        ("bies=2", f"watermark='bies=2' {FORM}"),
        ("yes", f"watermark='yes' {FORM}"),
        ("bias=x", "bias='x' must be a finite number"),
        ("hashing_key=2.5", "hashing_key='2.5' must be an integer"),
    ],
)
def test_a_watermark_of_another_form_is_a_usage_error(shell, mark, words):
    result = shell.run("watermark", TEXT, "--watermark", mark)
    assert result.code == 2
    assert words in result.err
