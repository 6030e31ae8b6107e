"""foretell as a peer, with beams, run by the interpreter that foretell is installed in.

usage: python -m benchmarks.peers.foretell_beams MODEL THREADS
"""

from __future__ import annotations

import sys
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
    """What the benchmark of beams asks of every peer, and of foretell alone."""

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
            "load": peer.info,
            "tokenize": peer.tokenize,
            "generate_beams": peer.generate_beams,
            "kv_blocks": peer.kv_blocks,
        }
    )


if __name__ == "__main__":
    main()
