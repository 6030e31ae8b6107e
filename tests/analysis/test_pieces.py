"""Pieces of characters: every view names their bytes, or shows the character that they make."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.toy import VOCAB_SIZE, reciting_llm, toy_llm, toy_tokenizer

from foretell import LLM, GenerationOutput

KOREAN = "고양이가"  # three tokens a syllable: the toy tokenizer has no Hangul
HALF = toy_tokenizer().encode(KOREAN)[:2]  # EA B3 of "고"
BROKEN = "\ufffd"

Look = Callable[[LLM], Any]

LOOKS: dict[str, Look] = {
    "next": lambda llm: llm.next(HALF, 20),
    "score": lambda llm: llm.score(KOREAN, 3),
    "explain": lambda llm: llm.explain(HALF, max_new_tokens=5, temperature=2.0, seed=2),
    "beams": lambda llm: llm.beams(HALF, num_beams=4, max_new_tokens=5),
    "alternatives": lambda llm: llm.alternatives(HALF, top=9, max_new_tokens=3),
    "generate": lambda llm: llm.generate(HALF, max_new_tokens=5, logprobs=2),
    "compare": lambda llm: llm.compare(KOREAN, max_new_tokens=4),
}


def hangul(history: list[int]) -> np.ndarray:
    """The text's next token is the likeliest, and tokens of Hangul's first bytes come after it."""
    ids = toy_tokenizer().encode(KOREAN)
    row = np.full(VOCAB_SIZE, -60.0, np.float32)
    row[ids] = [-1.0 - place / 10 for place in range(len(ids))]
    row[ids[len(history) % len(ids)]] = 0.0
    return row


def told(view: Any) -> str:
    """All that a reader may see of a view."""
    return "" if isinstance(view, GenerationOutput) else str(view)  # its text is what it is


@pytest.mark.parametrize("name", LOOKS)
def test_no_view_has_rows_of_broken_characters(name: str) -> None:
    with toy_llm(hangul) as llm:
        view = LOOKS[name](llm)
    shown = told(view)
    assert BROKEN not in shown
    assert BROKEN not in view._repr_html_()
    assert name in ("compare", "generate") or "<EA>" in shown
    assert '"token": "\\ufffd' not in json.dumps(view.to_dict())


def test_tokens_with_different_bytes_look_different() -> None:
    with toy_llm(hangul) as llm:
        found = llm.next(HALF, 10)
    assert len({token.token for token in found.tokens}) == len(found.tokens)
    scored = reciting_llm(KOREAN).score("고")
    assert [token.token for token in scored.tokens] == ["<EA>", "<B3>", "<A0>"]


def test_beams_that_differ_in_a_byte_look_different() -> None:
    with toy_llm(hangul) as llm:
        tree = llm.beams(HALF, num_beams=3, max_new_tokens=3)
    for step in tree.steps:
        texts = [beam.text for beam in step.beams]
        assert len(set(texts)) == len(texts)


def test_the_first_prompt_token_is_named_too() -> None:
    output = reciting_llm(KOREAN).generate(KOREAN, prompt_logprobs=0, max_new_tokens=1)
    assert [token.token for token in output.prompt_logprobs][:3] == ["<EA>", "<B3>", "<A0>"]
