"""A server for the browser's tests, as a process: `python -m support.web_server` in `tests/`.

It writes one line of JSON, `{"url": …}` or, where it cannot be, `{"reason": …}`; it ends when its
stdin does, so that it never outlives who started it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell import hub
from foretell.backends.base import Batch
from foretell.backends.scripted import Script, ScriptedBackend, improvise
from foretell.server.options import ServerOptions
from foretell.utils.arrays import Logits
from support.real_server import real_server
from support.served import served
from support.toy import EOS, VOCAB_SIZE, toy_tokenizer

LEAN = 2.0  # how much likelier the line's next token is than the next likeliest
SIZES = {"context_length": 8192, "block_size": 16, "num_blocks": 4096, "max_batch_tokens": 512}


class PacedBackend(ScriptedBackend):
    """Runs so many batches a second at most."""

    def __init__(self, script: Script, rate: float) -> None:
        super().__init__(script, vocab_size=VOCAB_SIZE, **SIZES)
        self._pause = 1 / rate
        self._next = 0.0

    def forward(self, batch: Batch) -> Logits:
        """Wait until it is time, and run it; what was late is not made up for."""
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._pause
        return super().forward(batch)


def leaning(*texts: str) -> Script:
    """Improvises, but leans to the text of which the history is the beginning, and to its end."""
    tokenizer = toy_tokenizer()
    lines = [[*tokenizer.encode(text), EOS] for text in texts]
    others = improvise(VOCAB_SIZE)

    def script(history: tuple[int, ...]) -> NDArray[np.float32]:
        row = others(history)
        length = len(history)
        for line in lines:
            if length < len(line) and tuple(line[:length]) == history:
                row[line[length]] = row.max() + LEAN
                break
        else:
            row[EOS] = row.min()  # what is no line has no end
        return row

    return script


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true", help="the default model, not a toy")
    parser.add_argument("--lines", type=json.loads, default=[], help="texts, as a JSON list")
    parser.add_argument("--rate", type=float, default=10_000, help="batches a second")
    parser.add_argument("--key", action="append", default=[])
    arguments = parser.parse_args()
    if arguments.real:
        _serve_real()
    else:
        _serve_toy(arguments)


def _serve_real() -> None:
    if not hub.is_cached(hub.find(hub.DEFAULT_MODEL)):
        _say(reason=f"needs {hub.DEFAULT_MODEL}: foretell models pull")
        return
    with real_server() as url:
        _say_url(url)


def _serve_toy(arguments: argparse.Namespace) -> None:
    make = partial(PacedBackend, leaning(*arguments.lines), arguments.rate)
    options = ServerOptions(model_names=("toy",), api_keys=tuple(arguments.key))
    with served(make, options) as server:
        _say_url(server.url)


def _say_url(url: str) -> None:
    _say(url=url.removesuffix("/v1") + "/")
    sys.stdin.read()


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
