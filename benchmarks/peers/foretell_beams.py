"""foretell as a peer, with beams, run by the interpreter that foretell is installed in.

usage: python -m benchmarks.peers.foretell_beams MODEL THREADS
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.common.lines import serve
from benchmarks.peers.foretell_native import Foretell
from foretell import GenerationConfig
from foretell.backends.base import Backend, BackendInfo, Batch
from foretell.engine.engine import Engine
from foretell.engine.request import Request
from foretell.utils.arrays import Logits


class BlockMeter:
    """A backend that notes, while it computes, how many KV blocks its engine's requests hold."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.engine = Engine(self)
        self.blocks: list[int] = []

    @property
    def info(self) -> BackendInfo:
        """That of the backend."""
        return self._backend.info

    def forward(self, batch: Batch) -> Logits:
        """Note, and compute."""
        stats = self.engine.stats()
        self.blocks.append(stats.num_blocks - stats.free_blocks)
        return self._backend.forward(batch)

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy, unnoted."""
        self._backend.copy_blocks(pairs)


class ForetellBeams(Foretell):
    """The operations that the benchmark of beams asks of every peer, and foretell's own."""

    def load(self) -> dict[str, Any]:
        """The model is there already: what it is."""
        return self.info()

    def tokenize(self, text: str) -> dict[str, Any]:
        """Ids of a text, without special tokens."""
        return {"ids": self.tokenizer.encode(text)}

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

    def kv_blocks(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The KV blocks that one request holds in each step, by the stats of its own engine."""
        meter = BlockMeter(self.backend)
        config = GenerationConfig(
            num_beams=num_beams, max_new_tokens=max_new_tokens, ignore_eos=True
        )
        meter.engine.add(Request(ids, config))
        while meter.engine.has_work:
            meter.engine.step()
        return {"blocks": meter.blocks, "block_size": meter.info.block_size}


def main() -> None:
    """Serve the model named on the command line."""
    peer = ForetellBeams(sys.argv[1], int(sys.argv[2]))
    serve(
        {
            "load": peer.load,
            "tokenize": peer.tokenize,
            "generate_beams": peer.generate_beams,
            "kv_blocks": peer.kv_blocks,
        }
    )


if __name__ == "__main__":
    main()
