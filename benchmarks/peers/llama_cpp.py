"""llama.cpp as a peer, through the HTTP server inside xllamacpp.

usage: python -m benchmarks.peers.llama_cpp MODEL THREADS [SLOTS [SETTINGS]]

SLOTS sequences run at once, batched continuously. A prompt that is sent twice in a row is read once
if there is one slot. SETTINGS is a JSON object of the server's own
parameters, by their names in xllamacpp's `CommonParams`; "speculation" is one of the kinds that its
`CommonParamsSpeculative` has, as "ngram_simple".
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import xllamacpp

from benchmarks.common.lines import UnsupportedError, serve

CONTEXT = 4096
SLOT_CONTEXT = 512  # positions of a slot, where there are several
ENTRY = re.compile(rb'"id":(\d+),"token":.*?"logprob":(-?[0-9.eE+-]+)\}')


class LlamaCpp:
    """A server with its slots, and the operations that the benchmarks ask of every peer."""

    def __init__(
        self, model: str, threads: int, slots: int = 1, settings: dict[str, Any] | None = None
    ) -> None:
        start = time.perf_counter()
        self.settings = settings or {}
        self.slots = slots
        self.last_ids: list[int] = []
        params = xllamacpp.CommonParams()
        params.model.path = model
        params.n_ctx = CONTEXT if slots == 1 else slots * SLOT_CONTEXT
        params.n_parallel = slots
        params.cont_batching = True
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.verbosity = 0
        for name, value in self.settings.items():
            _set(params, name, value)
        self.server = xllamacpp.Server(params)
        self.load_seconds = time.perf_counter() - start

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
        """Name, version and settings other than the server's own."""
        facts = {"name": "llama.cpp", "xllamacpp": version("xllamacpp")}
        return {**facts, "settings": self.settings} if self.settings else facts

    def address(self) -> dict[str, Any]:
        """Where the server listens, for those who ask it themselves."""
        return {"url": self.server.listening_address}

    def load(self) -> dict[str, Any]:
        """`info`, and how long the server took to be ready."""
        return {**self.info(), "load_seconds": self.load_seconds}

    def tokenize(self, text: str) -> dict[str, Any]:
        """Ids of a text, without special tokens."""
        body = {"content": text, "add_special": False, "parse_special": False}
        return {"ids": json.loads(self.post("/tokenize", body))["tokens"]}

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says: the server's figures, and the wall clock's."""
        start = time.perf_counter()
        reply = self._complete(ids, max_new_tokens, sampling)
        wall = time.perf_counter() - start
        timings = reply["timings"]
        return {
            "ids": reply["tokens"],
            "wall_seconds": wall,
            "prefill_tokens_per_second": timings["prompt_per_second"],
            "decode_tokens_per_second": timings["predicted_per_second"],
        }

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts greedily, all sent at once, each by a thread of its own."""
        with ThreadPoolExecutor(len(prompts)) as threads:
            start = time.perf_counter()
            pending = [threads.submit(self._complete, ids, max_new_tokens) for ids in prompts]
            replies = [one.result() for one in pending]
            wall = time.perf_counter() - start
        return {
            "ids": [reply["tokens"] for reply in replies],
            "wall_seconds": wall,
            "decode_tokens_per_second": sum(
                reply["timings"]["predicted_per_second"] for reply in replies
            ),
        }

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """Its server has none."""
        raise UnsupportedError("the server has no beam search")

    def _complete(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        body = {
            "prompt": ids,
            "n_predict": max_new_tokens,
            "temperature": 0,
            "cache_prompt": ids == self.last_ids,
            "ignore_eos": True,
            "return_tokens": True,
        }
        if sampling:  # and none of the cuts that are on unless they are turned off
            body |= {**sampling, "min_p": 0, "samplers": ["top_k", "top_p", "temperature"]}
        if self.slots == 1:
            self.last_ids = ids
        reply: dict[str, Any] = json.loads(self.post("/completion", body))
        return reply

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


def _set(params: xllamacpp.CommonParams, name: str, value: Any) -> None:
    """Change a setting; an enum's values are given by their names' ends."""
    if name == "speculation":
        kind = xllamacpp.common_speculative_type[f"COMMON_SPECULATIVE_TYPE_{value.upper()}"]
        params.speculative.types = [kind]
    elif name == "flash_attn_type":
        params.flash_attn_type = xllamacpp.llama_flash_attn_type[f"LLAMA_FLASH_ATTN_TYPE_{value}"]
    else:
        setattr(params, name, value)


def main() -> None:
    """Serve the model named on the command line."""
    slots = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    settings = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    peer = LlamaCpp(sys.argv[1], int(sys.argv[2]), slots, settings)
    serve(
        {
            "info": peer.info,
            "address": peer.address,
            "load": peer.load,
            "tokenize": peer.tokenize,
            "generate": peer.generate,
            "generate_many": peer.generate_many,
            "generate_beams": peer.generate_beams,
            "logprobs": peer.logprobs,
        }
    )


if __name__ == "__main__":
    main()
