"""Both faces give the same views, for the same prompts and settings."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.markup import read_html
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer
from support.toy_beam_search import PROMPT, script

from foretell import LLM, AsyncLLM, ConfigError, GenerationConfig, RequestError, SettingWarning
from foretell.backends.scripted import ScriptedBackend
from foretell.outputs import JsonMixin
from foretell.utils.html import style_sheet

HOT = {"temperature": 1.3, "top_k": 9, "seed": 4, "max_new_tokens": 6}

Ask = Callable[[Any], Any]

ASKS: dict[str, Ask] = {
    "next": lambda llm: llm.next(PROMPT, 4, temperature=0.5),
    "score": lambda llm: llm.score(PROMPT, 2),
    "explain": lambda llm: llm.explain(PROMPT, **HOT),
    "explain, special": lambda llm: llm.explain("a<|end|>", parse_special=True, **HOT),
    "explain a config": lambda llm: llm.explain([5, 6], GenerationConfig(**HOT)),
    "beams": lambda llm: llm.beams(PROMPT, num_beams=3, max_new_tokens=5, stop=["ab"]),
    "beams, drawn": lambda llm: llm.beams("a<|end|>", parse_special=True, **HOT),
    "compare": lambda llm: llm.compare(PROMPT, max_new_tokens=5),
    "compare, special": lambda llm: llm.compare("a<|end|>", parse_special=True, max_new_tokens=5),
    "compare two": lambda llm: llm.compare(
        [5, 6], {"a": {"top_p": 0.9}, "b": {}}, seeds=[7, 3], max_new_tokens=4
    ),
    "alternatives": lambda llm: llm.alternatives(PROMPT, top=4),
    "detect_watermark": lambda llm: llm.detect_watermark(
        [5, 6, 7, 9, 5, 8], watermark={"hashing_key": 7}, z_threshold=1
    ),
    "detect_watermark of a text": lambda llm: llm.detect_watermark(
        PROMPT, ignore_repeated_ngrams=True
    ),
    "alternatives within": lambda llm: llm.alternatives(PROMPT, 1, max_new_tokens=3),
}


def methods_of(face: type) -> set[str]:
    return {name for name in dir(face) if not name.startswith("_")}


def test_an_async_llm_has_the_methods_of_an_llm_but_batch() -> None:
    assert methods_of(LLM) - methods_of(AsyncLLM) == {"backend", "batch"}


def script_llm() -> LLM:
    return toy_llm(script)


def async_llm(**options: Any) -> AsyncLLM:
    backend = ScriptedBackend(script, vocab_size=VOCAB_SIZE)
    return AsyncLLM(backend, tokenizer=toy_tokenizer(), **options)


def answered(ask: Callable[[AsyncLLM], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with async_llm(**options) as llm:
            return await ask(llm)

    return asyncio.run(run())


def data(view: Any) -> Any:
    """A view as plain data, without what the clock says."""
    plain = view.to_dict() if hasattr(view, "to_dict") else view
    return _without_times(plain)


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        timed = ("tokens_per_second", "time_to_first_token", "decode_seconds")
        return {key: _without_times(item) for key, item in value.items() if key not in timed}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ASKS)
def test_an_async_llm_gives_the_views_of_an_llm(name: str) -> None:
    with script_llm() as llm:
        expected = ASKS[name](llm)
    found = answered(ASKS[name])
    assert type(found) is type(expected)
    assert data(found) == data(expected)
    if not name.startswith("compare"):  # whose table has speeds
        assert str(found).replace("None", "") == str(expected).replace("None", "")


def test_all_of_them_at_a_time() -> None:
    async def ask(llm: AsyncLLM) -> list[Any]:
        return await asyncio.gather(*(one(llm) for one in ASKS.values()))

    with script_llm() as llm:
        expected = [data(one(llm)) for one in ASKS.values()]
    assert [data(view) for view in answered(ask)] == expected


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda llm: llm.explain("a", trace=False), ConfigError),
        (lambda llm: llm.explain(["a", "b"]), RequestError),
        (lambda llm: llm.beams("a", num_beams=1), ConfigError),
        (lambda llm: llm.compare("a", {"x": {"top_p": 3}}), ConfigError),
        (lambda llm: llm.compare("a", seeds=0), ConfigError),
        (lambda llm: llm.compare(""), RequestError),
        (lambda llm: llm.alternatives("a", top=0), ConfigError),
        (lambda llm: llm.alternatives("a", max_new_tokens=None), ConfigError),
        (lambda llm: llm.alternatives("abc", 4), RequestError),
        (lambda llm: llm.alternatives("abc", -1), RequestError),
        (lambda llm: llm.alternatives(["a", "b"]), RequestError),
        (lambda llm: llm.alternatives("a", max_new_tokens=10**6), RequestError),
        (lambda llm: llm.next("a", 0), ConfigError),
        (lambda llm: llm.score("a"), RequestError),
    ],
)
def test_mistakes_are_the_same_on_both_faces(ask: Ask, error: type[Exception]) -> None:
    with script_llm() as llm, pytest.raises(error) as one:
        ask(llm)
    with pytest.raises(error) as other:
        answered(ask)
    assert str(other.value) == str(one.value)


def test_a_comparison_does_not_fill_a_bounded_queue() -> None:
    def ask(llm: AsyncLLM) -> Awaitable[Any]:
        return llm.compare("a", {"hot": {"temperature": 1.0}}, seeds=9, max_new_tokens=3)

    (result,) = answered(ask, max_waiting=1, max_running=1).results
    assert [run.seed for run in result.runs] == [*range(9)]


@pytest.mark.parametrize("name", ["explain", "beams", "compare", "generate", "alternatives"])
def test_a_closed_llm_analyses_nothing(name: str) -> None:
    llm = script_llm()
    llm.close()
    with pytest.raises(RequestError, match="closed"):
        getattr(llm, name)("a")


def test_what_is_odd_is_told_at_the_users_line() -> None:
    asks: list[Callable[[LLM], Any]] = [
        lambda llm: llm.explain("a", temperature=9.0, max_new_tokens=1),
        lambda llm: llm.beams("a", temperature=9.0, max_new_tokens=1),
        lambda llm: llm.compare("a", {"x": {"temperature": 9.0}}, seeds=1, max_new_tokens=1),
        lambda llm: llm.next("a", temperature=9.0),
    ]
    for ask in asks:
        with script_llm() as llm, pytest.warns(SettingWarning, match="temperature=9") as caught:
            ask(llm)
        assert {warning.filename for warning in caught} == {__file__}


def test_an_analysis_that_fails_leaves_nothing_open() -> None:
    def broken(row: Any) -> None:
        raise ZeroDivisionError("the user's")

    with script_llm() as llm:
        for ask in (llm.explain, llm.beams):
            with pytest.raises(ZeroDivisionError):
                ask("a", logits_processor=[broken], max_new_tokens=2)
        assert llm.stats().free_blocks == llm.stats().num_blocks
        assert llm.generate("a", max_new_tokens=1).token_ids


def test_views_are_data() -> None:
    with script_llm() as llm:
        for name in ("beams", "compare", "alternatives"):
            view = ASKS[name](llm)
            assert isinstance(view, JsonMixin)
            assert dataclasses.is_dataclass(view)


HTML = ["next", "score", "explain", "beams", "compare", "alternatives", "generate", "logprobs"]
ASKS_FOR_HTML = {
    **ASKS,
    "generate": lambda llm: llm.generate("<b>", **HOT),
    "logprobs": lambda llm: llm.generate("<b>", logprobs=2, **HOT),
}


@pytest.mark.parametrize("name", HTML)
def test_views_show_themselves_in_a_notebook_with_one_look(name: str) -> None:
    with script_llm() as llm:
        view = ASKS_FOR_HTML[name](llm)
    found = read_html(view._repr_html_())
    assert found.styles == style_sheet()
    assert ("class", "foretell") in found.attributes
    assert "script" not in found.tags
    has_details = name in ("score", "explain", "logprobs")
    assert bool(found.details) == has_details
    assert all("rank" in told or "first" in told for told in found.details)
