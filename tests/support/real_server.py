"""`foretell serve` with a real model, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from foretell.hub import DEFAULT_MODEL
from support.clients import RAY_PYTHON

NAME, ALIAS = DEFAULT_MODEL, "smollm2"
"""What the served model is called: answers bear the first, as OpenAI's bear a dated name."""


@contextmanager
def real_server(model: str = DEFAULT_MODEL) -> Iterator[str]:
    """The URL of a server that is ready, up to `/v1`; it must end in order afterwards."""
    command = [RAY_PYTHON or sys.executable, "-m", "foretell", "serve", model, "--port", "0"]
    command += ["--ray", "local"] if RAY_PYTHON else []
    command += ["--served-model-name", NAME, "--served-model-name", ALIAS]
    command += ["--log-format", "json", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield f"{_url(process)}/v1"
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def _url(process: subprocess.Popen[str]) -> str:
    """Where it listens, once it is ready; the rest of its log is read and forgotten."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("{") and "url" in (found := json.loads(line)):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return str(found["url"])
    raise AssertionError("".join(lines))
