"""Runs commands on a toy model, in this process."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.toy import reciting_llm

from foretell.cli import main
from foretell.llm import LLM


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass
class Shell:
    """Runs commands with a model of the test's choice."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def model(self, make: Callable[[], LLM]) -> list[tuple[Any, ...]]:
        """Let commands open what `make` makes; returns what they asked for, as it comes."""
        asked: list[tuple[Any, ...]] = []

        def load(model: str, **settings: Any) -> LLM:
            asked.append((model, settings))
            return make()

        self.monkeypatch.setattr("foretell.llm.LLM", load)
        return asked

    def stdin(self, data: bytes, *, is_terminal: bool = False) -> None:
        """Let commands read this."""
        stream = io.TextIOWrapper(io.BytesIO(data))
        self.monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
        self.monkeypatch.setattr(sys, "stdin", stream)

    def terminal(self, *, columns: int = 80) -> None:
        """Let commands write to a terminal."""
        for stream in (sys.stdout, sys.stderr):
            self.monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        self.monkeypatch.setenv("COLUMNS", str(columns))
        self.monkeypatch.setenv("NO_COLOR", "1")

    def run(self, *arguments: str) -> Result:
        """Run one command to its exit."""
        with pytest.raises(SystemExit) as exit_request:
            main.run(arguments)
        captured = self.capsys.readouterr()
        assert isinstance(exit_request.value.code, int)
        return Result(exit_request.value.code, captured.out, captured.err)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Commands that write a recital, unless the test says otherwise."""
    before = signal.getsignal(signal.SIGTERM)
    made = Shell(capsys, monkeypatch)
    made.model(lambda: reciting_llm("the cat sat", "a", "고양이가 앉았다\n"))
    yield made
    signal.signal(signal.SIGTERM, before)
