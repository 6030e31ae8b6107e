"""Filling a gap: `LLM`, `AsyncLLM` and the command line."""

from __future__ import annotations

import asyncio

import pytest
from support.toy import toy_llm
from support.toy_infill import (
    GAP,
    PREFIX,
    SUFFIX,
    infill_backend,
    infill_llm,
    infill_tokenizer,
)

from foretell import AsyncLLM
from foretell.errors import RequestError


def test_the_text_fills_the_gap_and_ends_there():
    with infill_llm() as llm:
        output = llm.infill(PREFIX, SUFFIX, max_new_tokens=9)
    assert (output.text, output.finish_reason) == (GAP, "stop")


def test_own_stops_go_with_those_of_the_gap():
    with infill_llm() as llm:
        output = llm.infill(PREFIX, SUFFIX, stop_token_ids=[llm.tokenizer.encode("y")[0]])
    assert output.text == "x"


def test_asyncio_too():
    async def ask():
        async with AsyncLLM(infill_backend(), tokenizer=infill_tokenizer()) as llm:
            return await llm.infill(PREFIX, SUFFIX, max_new_tokens=9)

    assert asyncio.run(ask()).text == GAP


def test_a_gap_is_not_healed():
    with infill_llm() as llm, pytest.raises(RequestError, match="token ends the prompt for a gap"):
        llm.infill(PREFIX, SUFFIX, token_healing=True)


def test_a_model_without_tokens_for_it_is_named():
    with toy_llm() as llm, pytest.raises(RequestError, match="this model has no tokens for a gap"):
        llm.infill(PREFIX, SUFFIX)
