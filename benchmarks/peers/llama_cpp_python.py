"""llama.cpp as a peer, as `llama-cpp-python` builds it from source: for this machine's processor.

usage: python -m benchmarks.peers.llama_cpp_python MODEL THREADS
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

import llama_cpp

from benchmarks.common.lines import UnsupportedError, figures, serve_engine

CONTEXT = 4160


class LlamaCppPython:
    """The package's `Llama`, and the operations that the benchmarks ask of every peer."""

    def __init__(self, model: str, threads: int) -> None:
        start = time.perf_counter()
        self.llama = llama_cpp.Llama(
            model,
            n_ctx=CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            flash_attn=True,
            verbose=False,
        )
        self.load_seconds = time.perf_counter() - start

    def load(self) -> dict[str, Any]:
        """The model is there already: what it is."""
        text = ctypes.string_at(llama_cpp.llama_print_system_info()).decode()
        parts = [part.strip() for part in text.split("|")]
        return {
            "name": "llama.cpp, built here",
            "llama-cpp-python": llama_cpp.__version__,
            "built_with": [part.partition(" = ")[0] for part in parts if part.endswith("= 1")],
            "settings": {"flash_attn": True},
            "load_seconds": self.load_seconds,
        }

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says."""
        settings: dict[str, Any] = {"temp": 0.0}
        if sampling:
            settings = {"temp": sampling["temperature"], "min_p": 0.0}
            settings |= {name: sampling[name] for name in ("top_k", "top_p")}
        found: list[int] = []
        first = 0.0
        start = time.perf_counter()
        for token in self.llama.generate(ids, **settings):
            first = first or time.perf_counter() - start
            found.append(token)
            if len(found) == max_new_tokens:
                break
        return figures(len(ids), found, first, time.perf_counter() - start)

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Its class runs one sequence at a time."""
        raise UnsupportedError("its class runs one sequence at a time")

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """It has none."""
        raise UnsupportedError("it has no beam search")


def main() -> None:
    """Serve the model named on the command line."""
    peer = LlamaCppPython(sys.argv[1], int(sys.argv[2]))
    serve_engine(peer)


if __name__ == "__main__":
    main()
