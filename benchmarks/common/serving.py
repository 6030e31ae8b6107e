"""A server in a process of its own, for measurements and trials."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.common.harness import ROOT, PeerError

START_SECONDS = 120.0


class Server:
    """`foretell serve`, or another server's command, as long as the block is not left.

    Attributes:
        url: where it listens.
        process: the process.
    """

    def __init__(
        self, model: Any, *options: Any, python: str = sys.executable, **environment: str
    ) -> None:
        self._log = tempfile.NamedTemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        command = [python, "-m", "foretell", "serve", str(model), "--port", "0", *map(str, options)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.url = ""

    def __enter__(self) -> Server:
        deadline = time.monotonic() + START_SECONDS
        while not self.url:
            found = re.search(r"http://[\w.:\[\]]+:\d+", self.log)
            if found and "ready" in self.log:
                self.url = found[0]
            elif self.process.poll() is not None or time.monotonic() > deadline:
                raise PeerError("foretell serve", self.log[-500:])
            else:
                time.sleep(0.02)
        return self

    @property
    def log(self) -> str:
        """What it has said."""
        with open(self._log.name, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def terminate(self) -> None:
        """Tell it to end, as a supervisor does."""
        self.process.send_signal(signal.SIGTERM)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
