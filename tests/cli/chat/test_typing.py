"""A chat at a real terminal: what is typed, and what is pasted."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="needs pseudo-terminals")

TESTS = Path(__file__).parents[2]
PROGRAM = """
import select
import sys
sys.path.insert(0, sys.argv[1])
from support.toy_chat import chatting_llm
import foretell.llm
def wait_for_keys(answered):
    if answered.endswith("wait"):
        select.select([0], [], [])
foretell.llm.LLM = lambda *arguments, **settings: chatting_llm(wait_for_keys, context_length=4096)
from foretell.cli.main import run
run(["chat", "--greedy"])
"""
DEADLINE = 60.0


class Terminal:
    """A program at a pseudo-terminal."""

    def __init__(self, kind: str) -> None:
        self._own, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(TESTS)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": kind, "NO_COLOR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    def wait_for(self, text: str) -> str:
        """All that was shown, once this was among what is new."""
        end = time.monotonic() + DEADLINE
        while text not in self._seen:
            ready, _, _ = select.select([self._own], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} did not come: {self._seen!r}"
            self._seen += os.read(self._own, 4096).decode(errors="replace")
        seen, self._seen = self._seen, self._seen.partition(text)[2]
        return seen

    def exit_code(self) -> int:
        """How the program ended by itself."""
        return self._process.wait(DEADLINE)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._own)


@pytest.fixture(params=["xterm", "dumb"])
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    opened = Terminal(request.param)
    opened.wait_for("> ")
    yield opened
    opened.close()


def test_a_pasted_block_is_one_message(terminal: Terminal) -> None:
    terminal.type("one\ntwo\n\nthree\n")
    terminal.wait_for("1: one")
    shown = terminal.wait_for("tokens/s")
    assert re.split(r"[\r\n]+", shown)[1:3] == ["two", "three"]
    terminal.type("next\n")
    terminal.wait_for("2: next")


def test_a_block_that_the_terminal_marks_as_pasted_waits_for_enter() -> None:
    pytest.importorskip("readline")
    terminal = Terminal("xterm")
    try:
        terminal.wait_for("> ")
        terminal.type("\x1b[200~one\r/two\r\x1b[201~")
        time.sleep(0.2)
        terminal.type("\r")
        terminal.wait_for("1: one")
        assert "/two" in terminal.wait_for("tokens/s")
    finally:
        terminal.close()


def test_commands_that_are_typed_ahead_are_commands(terminal: Terminal) -> None:
    terminal.type("/system be kind\n/exit\n")
    assert terminal.exit_code() == 0


@pytest.mark.parametrize("line", ["quit", "exit", "bye", "/exit"])
def test_leaving_that_is_typed_during_an_answer_leaves(terminal: Terminal, line: str) -> None:
    terminal.type("wait for me\n")
    terminal.wait_for("1:")
    terminal.type(f"{line}\n/clear\n")
    assert terminal.exit_code() == 0


def test_messages_that_are_typed_during_an_answer_are_messages_of_their_own(
    terminal: Terminal,
) -> None:
    terminal.type("wait for me\n")
    terminal.wait_for("1:")
    terminal.type('one\n"""\ntwo\nthree\n"""\n/clear\nfour\n')
    terminal.wait_for("2: one")
    terminal.wait_for("3: two")
    terminal.wait_for("three")
    terminal.wait_for("1: four")


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_lines_that_are_typed_before_the_first_prompt_are_messages_of_their_own(kind: str) -> None:
    terminal = Terminal(kind)
    try:
        terminal.type("one\nbye\nexit\n")
        assert terminal.exit_code() == 0
        assert "1: one" in terminal.wait_for("tokens/s")
    finally:
        terminal.close()


def test_a_dumb_terminal_is_sent_no_sequences() -> None:
    terminal = Terminal("dumb")
    try:
        assert "\x1b" not in terminal.wait_for("> ")
    finally:
        terminal.close()
