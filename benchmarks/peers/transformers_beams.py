"""transformers as a peer: `generate` with beams, of a GGUF file's own weights, dequantized.

usage: python -m benchmarks.peers.transformers_beams MODEL THREADS [bfloat16|float32]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import gguf
import torch

from benchmarks.common.lines import serve
from benchmarks.peers.transformers_batched import Transformers


class TransformersBeams(Transformers):
    """The operations that the benchmark of beams asks of every peer."""

    def __init__(self, model: str, threads: int, dtype: str = "bfloat16") -> None:
        super().__init__(model, threads, dtype)
        fields = gguf.GGUFReader(model).fields
        self.eos_token_id = fields["tokenizer.ggml.eos_token_id"].contents()

    def load(self) -> dict[str, Any]:
        """The model is there already: what it is."""
        return self.info()

    @torch.inference_mode()
    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        prompt = torch.tensor([ids])
        start = time.perf_counter()
        whole = self.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            num_beams=num_beams,
            min_new_tokens=max_new_tokens,
            max_new_tokens=max_new_tokens,
            eos_token_id=self.eos_token_id,
            do_sample=False,
        )
        wall = time.perf_counter() - start
        return {"ids": whole[0, len(ids) :].tolist(), "wall_seconds": wall}


def main() -> None:
    """Serve the model named on the command line."""
    peer = TransformersBeams(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    serve({"load": peer.load, "generate_beams": peer.generate_beams})


if __name__ == "__main__":
    main()
