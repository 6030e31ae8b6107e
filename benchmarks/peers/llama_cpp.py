"""llama.cpp as a peer, through the HTTP server inside xllamacpp.

usage: python llama_cpp.py MODEL THREADS
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.request
from importlib.metadata import version
from typing import Any

import numpy as np
import xllamacpp
from lines import serve

CONTEXT = 4096
ENTRY = re.compile(rb'"id":(\d+),"token":.*?"logprob":(-?[0-9.eE+-]+)\}')


class LlamaCpp:
    """A server with one slot, and the operations that the benchmarks ask of every peer."""

    def __init__(self, model: str, threads: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = model
        params.n_ctx = CONTEXT
        params.n_parallel = 1
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.verbosity = 0
        self.server = xllamacpp.Server(params)

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """Send one request; return the reply's bytes."""
        request = urllib.request.Request(
            self.server.listening_address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as reply:
            return reply.read()

    def info(self) -> dict[str, Any]:
        """Name and version."""
        return {"name": "llama.cpp", "xllamacpp": version("xllamacpp")}

    def tokenize(self, text: str) -> dict[str, Any]:
        """Ids of a text, without special tokens."""
        body = {"content": text, "add_special": False, "parse_special": False}
        return {"ids": json.loads(self.post("/tokenize", body))["tokens"]}

    def generate(self, ids: list[int], max_new_tokens: int) -> dict[str, Any]:
        """Decode greedily; the server's own figures, and the wall clock around the request."""
        body = {
            "prompt": ids,
            "n_predict": max_new_tokens,
            "temperature": 0,
            "cache_prompt": False,
            "ignore_eos": True,
            "return_tokens": True,
        }
        start = time.perf_counter()
        reply = json.loads(self.post("/completion", body))
        wall = time.perf_counter() - start
        timings = reply["timings"]
        return {
            "ids": reply["tokens"],
            "wall_seconds": wall,
            "prefill_tokens_per_second": timings["prompt_per_second"],
            "decode_tokens_per_second": timings["predicted_per_second"],
        }

    def logprobs(self, ids: list[int], path: str) -> dict[str, Any]:
        """Write log P(next | ids[: i + 1]) for every i as `(len(ids), vocab_size)` float32 .npy.

        The server gives them for the next token alone, so each position is its own request; its
        prompt cache makes that one decoded token each.
        """
        rows = [self._next_logprobs(ids[: end + 1]) for end in range(len(ids))]
        np.save(path, np.stack(rows))
        return {"rows": len(rows)}

    def _next_logprobs(self, ids: list[int]) -> np.ndarray:
        body = {
            "prompt": ids,
            "n_predict": 1,
            "temperature": 0,
            "cache_prompt": True,
            "n_probs": 1 << 20,
            "post_sampling_probs": False,
        }
        reply = self.post("/completion", body)
        top = reply[reply.index(b'"top_logprobs":') :]
        found = ENTRY.findall(top)
        tokens = np.array([int(token) for token, _ in found])
        row = np.full(len(found), np.nan, np.float32)
        row[tokens] = np.array([float(logprob) for _, logprob in found], np.float32)
        if np.isnan(row).any():
            raise ValueError("the server left out some tokens of the vocabulary")
        return row


def main() -> None:
    """Serve the model named on the command line."""
    peer = LlamaCpp(sys.argv[1], int(sys.argv[2]))
    serve(
        {
            "info": peer.info,
            "tokenize": peer.tokenize,
            "generate": peer.generate,
            "logprobs": peer.logprobs,
        }
    )


if __name__ == "__main__":
    main()
