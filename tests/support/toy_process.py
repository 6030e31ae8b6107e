"""`foretell serve` with a slow toy model, as a process: `python -m support.toy_process serve`.

The model is called "toy"; "absent" cannot be loaded, and "eternal" takes for ever to load.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from foretell import AsyncLLM, async_llm
from foretell.backends.base import Batch
from foretell.backends.scripted import ScriptedBackend
from foretell.cli.entry import run
from foretell.utils.arrays import Logits
from support.toy import VOCAB_SIZE
from support.toy_async import SCRIPT
from support.toy_chat import chatting_tokenizer

STEP_SECONDS = 0.02
LISTENING = re.compile(r'listening at ([^\s"]+)')


def _hear_signals() -> None:
    """As a program of its own has it, though these tests were started by `nohup`, or by `&`."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class Served:
    """A process that serves.

    Attributes:
        url: where it listens.
        lines: what it has said.
    """

    def __init__(self, *arguments: str, command: str = "serve", **environment: str) -> None:
        words = [sys.executable, "-m", "support.toy_process", command, *arguments]
        self.process = subprocess.Popen(
            words,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
            preexec_fn=_hear_signals if os.name == "posix" else None,  # noqa: PLW1509
        )
        self.lines: list[str] = []
        self.url = ""

    def read_until(self, word: str) -> str:
        """Read what it says up to a line with this word; the line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := LISTENING.search(line):
                self.url = found[1]
            if word in line:
                return line
        raise AssertionError(f"it never said {word!r}, but {self.lines}")

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        out, err = self.process.communicate(timeout=30)
        assert out == ""
        self.lines += err.splitlines(keepends=True)
        return self.process.returncode

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)


@contextmanager
def served(*arguments: str, until: str = "ready", **more: str) -> Iterator[Served]:
    """A server that has said this word, at a free port."""
    one = Served("--port", "0", *arguments, **more)
    try:
        one.read_until(until)
        yield one
    finally:
        one.process.kill()
        one.process.communicate()


class _SlowBackend(ScriptedBackend):
    def forward(self, batch: Batch) -> Logits:
        time.sleep(STEP_SECONDS)
        return super().forward(batch)


def _toy(model: str, **options: Any) -> AsyncLLM:
    if model == "absent":
        return AsyncLLM("absent")
    backend = _SlowBackend(SCRIPT, vocab_size=VOCAB_SIZE)
    llm = AsyncLLM(backend, tokenizer=chatting_tokenizer(), **options)
    if model == "eternal":
        llm._load = lambda: time.sleep(600)
    return llm


if __name__ == "__main__":
    async_llm.AsyncLLM = _toy
    run()
