"""foretell as a peer: its native backend, run by the interpreter that foretell is installed in.

usage: python -m benchmarks.peers.foretell_native MODEL THREADS [int8|float32 [KV_DTYPE]]

With float32, keys and values are kept in float32 too, if nothing else is said: the road that is
compared with the reference number by number.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import foretell
from benchmarks.common.lines import serve
from foretell.backends.base import Batch
from foretell.backends.native.backend import NativeBackend
from foretell.cli.measure import measure_bandwidth
from foretell.formats.gguf import GGUFFile
from foretell.llm import LLM
from foretell.text.tokenizer import Tokenizer


class Foretell:
    """A model with its backend, and the operations that the benchmarks ask of every peer."""

    def __init__(
        self, model: str, threads: int, activations: Any = "int8", kv_dtype: Any = None
    ) -> None:
        start = time.perf_counter()
        with GGUFFile.open(model) as file:
            self.backend = NativeBackend.load(
                file,
                threads=threads,
                activations=activations,
                kv_dtype=kv_dtype or ("float16" if activations == "int8" else "float32"),
            )
            self.tokenizer = Tokenizer.from_gguf(file.metadata, source=model)
        self.llm = LLM(self.backend, tokenizer=self.tokenizer, speculation=None)
        self.load_seconds = time.perf_counter() - start

    def info(self) -> dict[str, Any]:
        """Name, version and what the backend says of itself."""
        info = self.backend.info
        return {
            "name": "foretell",
            "version": foretell.__version__,
            "description": info.description,
            "weight_bytes": info.weight_bytes,
            "kv_bytes_per_token": info.kv_bytes_per_token,
            "load_seconds": self.load_seconds,
        }

    def tokenize(self, text: str) -> dict[str, Any]:
        """Ids of a text, without special tokens."""
        return {"ids": self.tokenizer.encode(text)}

    def bandwidth(self) -> dict[str, Any]:
        """Bytes a second that the memory gives to this many threads that only read."""
        return {"bytes_per_second": measure_bandwidth(self.backend.info.threads)}

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode through `LLM.generate`, as a user would; greedily, if no `sampling` is given."""
        start = time.perf_counter()
        output = self.llm.generate(
            ids, max_new_tokens=max_new_tokens, ignore_eos=True, **(sampling or {})
        )
        wall = time.perf_counter() - start
        usage = output.usage
        return {
            "ids": output.token_ids,
            "wall_seconds": wall,
            "prefill_tokens_per_second": usage.prompt_tokens / usage.time_to_first_token,
            "decode_tokens_per_second": usage.tokens_per_second,
        }

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts greedily through one call of `LLM.generate`, as a user would."""
        start = time.perf_counter()
        outputs = self.llm.generate(prompts, max_new_tokens=max_new_tokens, ignore_eos=True)
        wall = time.perf_counter() - start
        return {
            "ids": [output.token_ids for output in outputs],
            "wall_seconds": wall,
            "decode_tokens_per_second": sum(output.usage.tokens_per_second for output in outputs),
        }

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        start = time.perf_counter()
        output = self.llm.generate(
            ids,
            num_beams=num_beams,
            min_new_tokens=max_new_tokens,
            max_new_tokens=max_new_tokens,
            eos_token_id=self.tokenizer.eos_token_id,  # the others know this one only
        )
        wall = time.perf_counter() - start
        return {"ids": output.token_ids, "wall_seconds": wall}

    def logits(self, ids: list[int], path: str) -> dict[str, Any]:
        """Write the logits after each token as `(len(ids), vocab_size)` float32 .npy."""
        info = self.backend.info
        blocks = -(-len(ids) // info.block_size)
        table = np.arange(blocks, dtype=np.int32)[None, :]
        rows = []
        for start in range(0, len(ids), info.max_batch_tokens):
            chunk = np.array(ids[start : start + info.max_batch_tokens], np.int32)
            places = np.arange(len(chunk), dtype=np.int32)
            starts = np.array([0, len(chunk)], np.int32)
            batch = Batch(chunk, start + places, starts, table, logits_indices=places)
            rows.append(self.backend.forward(batch).copy())
        np.save(path, np.concatenate(rows))
        return {"rows": len(ids)}


def main() -> None:
    """Serve the model named on the command line."""
    peer = Foretell(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    serve(
        {
            "info": peer.info,
            "load": peer.info,
            "tokenize": peer.tokenize,
            "bandwidth": peer.bandwidth,
            "generate": peer.generate,
            "generate_many": peer.generate_many,
            "generate_beams": peer.generate_beams,
            "logits": peer.logits,
        }
    )


if __name__ == "__main__":
    main()
