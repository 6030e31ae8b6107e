"""ik_llama.cpp as a peer, through the C functions that the package `ik_llama_cpp` loads.

usage: python -m benchmarks.peers.ik_llama_cpp MODEL THREADS [SEQUENCES]

Weights are repacked at load, and flash attention is on for one sequence, as its own documentation
advises for a CPU; for several, builds without AVX-512 end in an assertion with it.
The package's Python class would build its candidates for a token one by one; here numpy takes the
likeliest, and sampling is done by the library's own functions.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from ik_llama_cpp import _ctypes_api as api

from benchmarks.common.lines import UnsupportedError, figures, serve_engine

CONTEXT = 4160
SEQUENCE_CONTEXT = 512  # positions of one of several sequences
BATCH = 512  # tokens that are computed at a time
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

Cell = tuple[int, int, int, bool]  # token, position, sequence, whether its logits are wanted


class IkLlamaCpp:
    """A context with room for some sequences, and the operations that the benchmarks ask for."""

    def __init__(self, model: str, threads: int, sequences: int = 1) -> None:
        start = time.perf_counter()
        api.llama_backend_init()
        settings = api.llama_model_default_params()
        settings.use_mmap = False  # repacked weights cannot lie in the file
        settings.repack_tensors = True
        self.model = api.llama_model_load_from_file(os.fsencode(model), settings)
        if not self.model:
            raise SystemExit(f"{model}: ik_llama.cpp does not load it")
        self.vocab_size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        params = api.llama_context_default_params()
        params.n_ctx = CONTEXT if sequences == 1 else SEQUENCE_CONTEXT * sequences
        params.n_batch = BATCH
        params.n_ubatch = BATCH
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn = self.flash_attn = sequences == 1
        self.context = api.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit("ik_llama.cpp made no context")
        self.load_seconds = time.perf_counter() - start

    def load(self) -> dict[str, Any]:
        """The model is there already: what it is."""
        describe = api._lib.llama_print_system_info
        describe.restype = ctypes.c_char_p
        parts = [part.strip() for part in describe().decode().split("|")]
        return {
            "name": "ik_llama.cpp",
            "ik-llama-cpp-python": version("ik-llama-cpp-python"),
            "built_with": [part.partition(" = ")[0] for part in parts if part.endswith("= 1")],
            "settings": {"flash_attn": self.flash_attn, "repack_tensors": True},
            "load_seconds": self.load_seconds,
        }

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says."""
        start = time.perf_counter()
        self._read(ids)
        found = [self._choose(-1, sampling)]
        first = time.perf_counter() - start
        while len(found) < max_new_tokens:
            self._compute([(found[-1], len(ids) + len(found) - 1, 0, True)])
            found.append(self._choose(-1, sampling))
        return figures(len(ids), found, first, time.perf_counter() - start)

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts of one length greedily, in common steps."""
        start = time.perf_counter()
        api.llama_kv_cache_clear(self.context)
        found: list[list[int]] = [[] for _ in prompts]
        given = len(prompts[0])
        together = BATCH // given  # prompts whose tokens are read in one step
        for begin in range(0, len(prompts), together):
            some = range(begin, min(begin + together, len(prompts)))
            self._compute(
                [
                    (token, at, sequence, at == given - 1)
                    for sequence in some
                    for at, token in enumerate(prompts[sequence])
                ]
            )
            for sequence in some:
                last = (sequence - begin + 1) * given - 1
                found[sequence].append(self._choose(last, None))
        while len(found[0]) < max_new_tokens:
            at = given + len(found[0]) - 1
            self._compute([(ids[-1], at, row, True) for row, ids in enumerate(found)])
            for row, ids in enumerate(found):
                ids.append(self._choose(row, None))
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The library has none."""
        raise UnsupportedError("the library has no beam search")

    def _read(self, ids: list[int]) -> None:
        """Compute a prompt, in parts."""
        api.llama_kv_cache_clear(self.context)
        for begin in range(0, len(ids), BATCH):
            part = enumerate(ids[begin : begin + BATCH], begin)
            self._compute([(token, at, 0, at == len(ids) - 1) for at, token in part])

    def _compute(self, cells: list[Cell]) -> None:
        batch = api.llama_batch_init(len(cells), 0, 1)
        batch.n_tokens = len(cells)
        for index, (token, position, sequence, wanted) in enumerate(cells):
            batch.token[index] = token
            batch.pos[index] = position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = wanted
        status = api.llama_decode(self.context, batch)
        api.llama_batch_free(batch)
        if status:
            raise RuntimeError(f"llama_decode gave {status}")

    def _choose(self, index: int, sampling: dict[str, Any] | None) -> int:
        pointer = api.llama_get_logits_ith(self.context, index)
        logits = np.ctypeslib.as_array(pointer, (self.vocab_size,))
        if not sampling:
            return int(logits.argmax())
        candidates = np.zeros(self.vocab_size, CANDIDATE)
        candidates["id"] = np.arange(self.vocab_size)
        candidates["logit"] = logits
        array = api.llama_token_data_array()
        kind = ctypes.POINTER(api.llama_token_data)
        array.data = candidates.ctypes.data_as(kind)
        array.size, array.selected, array.sorted = self.vocab_size, -1, False
        given = ctypes.pointer(array)
        api.llama_sample_top_k(self.context, given, sampling["top_k"], 1)
        api.llama_sample_top_p(self.context, given, sampling["top_p"], 1)
        api.llama_sample_temp(self.context, given, sampling["temperature"])
        return int(api.llama_sample_token(self.context, given))


def main() -> None:
    """Serve the model named on the command line."""
    peer = IkLlamaCpp(sys.argv[1], *map(int, sys.argv[2:]))
    serve_engine(peer)


if __name__ == "__main__":
    main()
