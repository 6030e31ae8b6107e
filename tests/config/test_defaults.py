"""What nobody stated: the same in Python, in asyncio and in the shell, and as the docs say."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.toy import VOCAB_SIZE
from support.toy_chat import chatting_llm, chatting_tokenizer

from foretell import LLM, AsyncLLM, Conversation, RequestError
from foretell.backends.scripted import ScriptedBackend
from foretell.config import defaults

HELLO = [{"role": "user", "content": "hello"}]

Ask = Callable[[Any], Any]
CountOf = Callable[[Any], int]

ASKS: dict[str, tuple[int, Ask, CountOf]] = {
    "explain": (5, lambda llm: llm.explain("the"), lambda found: len(found.steps)),
    "beams": (5, lambda llm: llm.beams("the"), lambda found: len(found.steps)),
    "compare": (
        60,
        lambda llm: llm.compare("the", {"greedy": {}}),
        lambda found: len(found.results[0].runs[0].token_ids),
    ),
    "chat": (512, lambda llm: llm.chat(HELLO), lambda found: len(found.token_ids)),
    "alternatives": (
        10,
        lambda llm: llm.alternatives("the"),
        lambda found: len(found.alternatives[0].token_ids),
    ),
}
"""For each the length that the documentation states, a call, and how long its text came out."""


def endless(**sizes: int) -> dict[str, Any]:
    """Arguments of a model that goes on for ever."""

    def script(history: tuple[int, ...]) -> Any:
        return np.arange(VOCAB_SIZE, dtype=np.float32)[::-1]

    sizes = {"context_length": 2048, "num_blocks": 900, **sizes}
    backend = ScriptedBackend(script, vocab_size=VOCAB_SIZE, **sizes)
    return {"model": backend, "tokenizer": chatting_tokenizer()}


@pytest.mark.parametrize("name", ASKS)
def test_both_faces_have_the_length_that_is_documented(name: str) -> None:
    length, ask, count = ASKS[name]

    async def asked() -> Any:
        async with AsyncLLM(**endless()) as llm:
            return await ask(llm)

    with LLM(**endless()) as llm:
        assert count(ask(llm)) == length
    assert count(asyncio.run(asked())) == length


@pytest.mark.parametrize("name", ["explain", "beams", "compare", "chat"])
def test_docstrings_tell_it(name: str) -> None:
    said = " ".join((inspect.getdoc(getattr(LLM, name)) or "").split())
    assert f"at most {ASKS[name][0]} tokens" in said


@pytest.mark.parametrize("name", ["explain", "beams", "compare"])
@pytest.mark.parametrize("limit", [{"max_new_tokens": 7}, {"max_length": 8}])
def test_a_stated_length_wins(name: str, limit: dict[str, int]) -> None:
    _, _, count = ASKS[name]
    with LLM(**endless()) as llm:
        arguments = ({"greedy": {}},) if name == "compare" else ()
        assert count(getattr(llm, name)("the", *arguments, **limit)) == 7


def test_a_comparison_tells_the_length_in_force() -> None:
    with LLM(**endless()) as llm:
        short, long = llm.compare("the", {"short": {"max_length": 4}, "long": {}}).results
    assert (short.config.max_new_tokens, long.config.max_new_tokens) == (None, 60)


def test_streams_of_chats_and_conversations_end_likewise() -> None:
    with LLM(**endless()) as llm:
        assert sum(len(chunk.token_ids) for chunk in llm.stream_chat(HELLO)) == 512
        assert sum(len(chunk.token_ids) for chunk in Conversation(llm).say("hello")) == 512
        whole = Conversation(llm, max_answer_tokens=None).say("hello")
        *_, last = whole
        assert last.require_output().stop_reason.kind == "context"


def test_generate_and_stream_go_on_to_the_end() -> None:
    with LLM(**endless(context_length=700)) as llm:
        assert llm.generate("the").stop_reason.kind == "context"
        assert sum(len(chunk.token_ids) for chunk in llm.stream("the")) == 699


@pytest.mark.parametrize(("context_length", "expected"), [(1024, 512), (64, 64 - 20)])
def test_a_default_length_is_cut_to_the_room_there_is(context_length: int, expected: int) -> None:
    with chatting_llm(context_length=context_length) as llm:
        output = llm.chat([{"role": "user", "content": "hi"}])
    assert output.config.max_new_tokens == expected


def test_where_there_is_no_room_the_error_names_no_length_that_nobody_stated() -> None:
    with LLM(**endless(context_length=8)) as llm, pytest.raises(RequestError) as caught:
        llm.explain([1] * 8)
    assert "max_new_tokens" not in str(caught.value)
    assert "8 tokens and a token to generate" in str(caught.value)


@pytest.mark.parametrize("least", [{"min_new_tokens": 8}, {"min_length": 9}])
def test_a_stated_least_length_raises_it(least: dict[str, int]) -> None:
    with LLM(**endless()) as llm:
        assert len(llm.explain("the", **least).steps) == 8


def test_the_shell_and_python_share_the_other_defaults() -> None:
    from foretell.cli.commands import beams, compare

    shown = {
        parameter.name: parameter.default
        for parameter in inspect.signature(LLM.compare).parameters.values()
    }
    assert shown["seeds"] == defaults.NUM_SEEDS
    assert f"default: {defaults.NUM_SEEDS}" in compare.command.get_help(_context(compare.command))
    help_text = " ".join(beams.command.get_help(_context(beams.command)).split())
    assert f"1 is no beam search. [default: {defaults.NUM_BEAMS}]" in help_text
    with LLM(**endless()) as llm:
        assert llm.beams("the").config.num_beams == defaults.NUM_BEAMS


def _context(command: Any) -> Any:
    """As foretell makes it: click keeps a command's help option as it is first asked for."""
    import click

    from foretell.cli.main import cli

    return click.Context(command, terminal_width=200, **cli.context_settings)
