"""How far a run has come: what is counted of which run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.fake_notebook import FakeNotebook
from support.toy import toy_llm

from foretell import LLM

Seen = list[tuple[Any, ...]]

LIMITS = {"max_new_tokens": 4, "ignore_eos": True}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The bars that were opened, each followed by its counts."""
    bars: Seen = []

    @contextmanager
    def bar(title: str, total: int, unit: str, **_: Any) -> Iterator[Callable[[int, str], None]]:
        bars.append((title, total, unit))
        yield lambda done, words: bars.append((done,))

    monkeypatch.setattr("foretell.streaming.progress.open_bar", bar)
    return bars


def counts(*numbers: int) -> Seen:
    return [(number,) for number in numbers]


def test_of_one_text_the_tokens_are_counted(seen: Seen) -> None:
    with toy_llm() as llm:
        llm.generate("a", progress=True, **LIMITS)
    assert (seen[0], seen[-1]) == (("Generating", 4, "tokens"), (4,))
    assert seen[1:] == sorted(seen[1:])


def test_a_text_without_a_limit_goes_to_the_end_of_the_context(seen: Seen) -> None:
    with toy_llm(context_length=32) as llm:
        length = len(llm.generate("a", progress=True, ignore_eos=True).token_ids)
    assert seen[0] == ("Generating", length, "tokens")
    assert seen[-1] == (length,)


def test_an_explanation_counts_tokens(seen: Seen) -> None:
    with toy_llm() as llm:
        llm.explain("a", progress=True, **LIMITS)
    assert (seen[0], seen[-1]) == (("Generating", 4, "tokens"), (4,))
    assert seen[1:] == sorted(seen[1:])


def test_beams_count_steps(seen: Seen) -> None:
    with toy_llm() as llm:
        tree = llm.beams("a", progress=True, num_beams=3, **LIMITS)
        assert len(tree.steps) == 4
        assert tree.to_dict()["steps"] == llm.beams("a", num_beams=3, **LIMITS).to_dict()["steps"]
    assert seen == [("Searching", 4, "steps"), *counts(1, 2, 3, 4)]


def test_of_several_texts_those_are_counted_that_are_finished(seen: Seen) -> None:
    with toy_llm() as llm:
        llm.generate(["a", "b"], progress=True, num_return_sequences=2, temperature=1.0, **LIMITS)
        assert seen[0] == ("Generating", 4, "texts")
        assert seen[-1] == (4,)
        seen.clear()
        wishes = {"greedy": {}, "hot": {"temperature": 1.0}}
        llm.compare("a", wishes, progress=True, **LIMITS)
    assert seen[0] == ("Generating", 1 + 3, "texts")
    assert seen[-1] == (4,)


@pytest.mark.parametrize("progress", [None, False])
def test_nothing_is_shown_unless_asked_for(seen: Seen, progress: bool | None) -> None:
    with toy_llm() as llm:
        for ask in (llm.generate, llm.explain, llm.beams, llm.compare):
            ask("a", progress=progress, **LIMITS)
    assert seen == []


RUNS: dict[str, Callable[[LLM], Any]] = {
    "generate": lambda llm: llm.generate(["a", "b"], **LIMITS),
    "explain": lambda llm: llm.explain("a", **LIMITS),
    "beams": lambda llm: llm.beams("a", num_beams=2, **LIMITS),
    "compare": lambda llm: llm.compare("a", **LIMITS),
    "one text": lambda llm: llm.generate("a", **LIMITS),
}


@pytest.mark.parametrize("name", RUNS)
def test_long_runs_show_themselves_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    notebook = FakeNotebook(monkeypatch, kernel=object())
    monkeypatch.setattr("foretell.utils.progress.DELAY", 0.0)
    with toy_llm() as llm:
        RUNS[name](llm)
    assert len(notebook.shown) == 1
    assert " of " in notebook.shown[0][0]
    assert notebook.shown[0][-1] == ""
    assert capsys.readouterr() == ("", "")
