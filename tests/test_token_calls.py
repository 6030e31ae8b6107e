"""How many Python calls a token takes, from `LLM.stream` to its chunk and back.

    python tests/test_token_calls.py        prints them by module and by function

Counted are entries into Python functions ("call" events of `sys.setprofile`), those of generators
and of generated constructors included, each time that they are entered or resumed. Not counted are
functions of C, what happens inside the backend's `forward`, since the scripted one stands in for a
model, and comprehensions of lists, dicts and sets, which are no calls from Python 3.12 on. The
first token includes the call of `stream`; the last one, which also makes the output, is left out.
The engine is warm: another request has run before, so nothing is imported any more.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.toy import VOCAB_SIZE, toy_tokenizer

import foretell
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.llm import LLM

ROOT = Path(foretell.__file__).parent
PROMPT = [9, 9, 9]
NUM_TOKENS = 12  # over several blocks of 4 positions
MAX_FIRST, MAX_FURTHER = 350, 70
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")

Calls = Counter[tuple[str, str]]
"""Calls by module and function."""


@pytest.mark.parametrize("speculation", [None, "lookup"])
def test_calls_of_the_first_token(speculation: Any) -> None:
    calls = calls_by_token(speculation)[0]
    assert calls.total() <= MAX_FIRST, breakdown(calls)


@pytest.mark.parametrize("speculation", [None, "lookup"])
def test_calls_of_each_further_token(speculation: Any) -> None:
    """With lookup: of a text that does not repeat itself."""
    most = max(calls_by_token(speculation)[1:], key=Counter.total)
    assert most.total() <= MAX_FURTHER, breakdown(most)


def test_nothing_is_counted_in_the_backend() -> None:
    names = {module for calls in calls_by_token() for module, _ in calls}
    assert "backends/scripted.py" not in names


def test_counts_are_the_same_each_time() -> None:
    assert calls_by_token() == calls_by_token()


def calls_by_token(speculation: Any = None, **settings: Any) -> list[Calls]:
    """The calls of each token but the last of a greedy request, or of one with these settings."""
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
    wishes = {"max_new_tokens": NUM_TOKENS, "ignore_eos": True, **settings}
    with LLM(backend, tokenizer=toy_tokenizer(), speculation=speculation) as llm:
        list(llm.stream([7, 8], **wishes))
        counted: list[Calls] = []
        recorder = Recorder(type(backend).forward)
        chunks = recorder.run(lambda: llm.stream(PROMPT, **wishes))
        for _ in range(NUM_TOKENS - 1):
            assert recorder.run(lambda: next(chunks)).finish_reason is None
            counted.append(recorder.take())
        list(chunks)
    return counted


class Recorder:
    """Counts calls while something runs, except below one function."""

    def __init__(self, passed_over: Any) -> None:
        self._passed_over = passed_over.__code__
        self._depth = 0
        self._calls: Calls = Counter()

    def run(self, function: Callable[[], Any]) -> Any:
        """What the function returns, its calls counted, and its own not."""
        before = sys.getprofile()
        self._depth = 0
        sys.setprofile(self._note)
        try:
            return function()
        finally:
            sys.setprofile(before)

    def take(self) -> Calls:
        """What was counted since this was asked last."""
        calls, self._calls = self._calls, Counter()
        return calls

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if code is self._passed_over:
            self._depth += {"call": 1, "return": -1}.get(event, 0)
        elif (
            event == "call"
            and not self._depth
            and code.co_name not in COMPREHENSIONS
            and code.co_filename != __file__
        ):
            self._calls[_module_of(code.co_filename), code.co_name] += 1


def _module_of(filename: str) -> str:
    """The path within foretell; of others' modules the file's name, in brackets."""
    path = Path(filename)
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    return filename if filename.startswith("<") else f"[{path.name}]"


def breakdown(calls: Calls) -> str:
    """The calls by module, and below each by function, most first."""
    modules: Counter[str] = Counter()
    for (module, _), count in calls.items():
        modules[module] += count
    lines = [f"{calls.total()} calls"]
    for module, count in modules.most_common():
        functions = Counter({name: n for (place, name), n in calls.items() if place == module})
        parts = [f"{name} {n}" if n > 1 else name for name, n in functions.most_common()]
        lines.append(f"{count:>5}  {module}: {', '.join(parts)}")
    return "\n".join(lines)


def main() -> None:
    """Print the counts of each token, and where they come from."""
    found = calls_by_token()
    print("calls of each token:", *(calls.total() for calls in found))
    print(f"\nfirst token (at most {MAX_FIRST}): {breakdown(found[0])}")
    most = max(found[1:], key=Counter.total)
    print(f"\nfurther token, the one with most (at most {MAX_FURTHER}): {breakdown(most)}")


if __name__ == "__main__":
    main()
