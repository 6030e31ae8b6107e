"""transformers as a peer: batched `generate` with a GGUF file's own weights, dequantized.

usage: python -m benchmarks.peers.transformers_batched MODEL THREADS [bfloat16|float32]
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.lines import serve
from benchmarks.oracles.reference import load_reference


class Transformers:
    """The model in a type of choice, and the operations that the benchmarks ask of it."""

    def __init__(self, model: str, threads: int, dtype: str = "bfloat16") -> None:
        torch.set_num_threads(threads)
        self.dtype = dtype
        self.model = load_reference(Path(model))
        for parameter in self.model.parameters():  # RoPE's table stays in float32
            parameter.data = parameter.data.to(getattr(torch, dtype))
        self.model.generation_config.eos_token_id = None
        self.model.generation_config.pad_token_id = 0

    def info(self) -> dict[str, Any]:
        """Name, versions and type of the weights."""
        return {
            "name": "transformers",
            "version": version("transformers"),
            "torch": torch.__version__,
            "dtype": self.dtype,
            "attention": self.model.config._attn_implementation,
        }

    @torch.inference_mode()
    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts of one length greedily, as one batch."""
        ids = torch.tensor(prompts)
        start = time.perf_counter()
        whole = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new_tokens,
            do_sample=False,
        )
        wall = time.perf_counter() - start
        return {"ids": whole[:, ids.shape[1] :].tolist(), "wall_seconds": wall}


def main() -> None:
    """Serve the model named on the command line."""
    peer = Transformers(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    serve({"info": peer.info, "generate_many": peer.generate_many})


if __name__ == "__main__":
    main()
