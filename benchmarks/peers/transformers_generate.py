"""transformers as a peer: `generate` with a GGUF file's own weights, dequantized.

usage: python -m benchmarks.peers.transformers_generate MODEL THREADS [bfloat16|float32 [FOLDER]]

FOLDER keeps the weights as a checkpoint of that type, to load as a user would; without it they are
dequantized at each start.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gguf
import torch
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer

from benchmarks.common.checkpoint import checkpoint
from benchmarks.common.lines import figures, serve
from benchmarks.oracles.reference import load_reference


class Clock(BaseStreamer):
    """Notes when each token came; what comes first is the prompt."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        """A token, or the prompt."""
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing more comes."""


class Transformers:
    """The model in a type of choice, and the operations that the benchmarks ask of it."""

    def __init__(
        self, model: str, threads: int, dtype: str = "bfloat16", folder: str | None = None
    ) -> None:
        torch.set_num_threads(threads)
        self.dtype = dtype
        kind = getattr(torch, dtype)
        made = folder and checkpoint(Path(model), Path(folder), dtype)
        start = time.perf_counter()
        if made:
            self.model = AutoModelForCausalLM.from_pretrained(made, dtype=kind)
        else:
            self.model = load_reference(Path(model))
            for parameter in self.model.parameters():  # RoPE's table stays in float32
                parameter.data = parameter.data.to(kind)
        self.load_seconds = time.perf_counter() - start
        self.model.generation_config.eos_token_id = None
        self.model.generation_config.pad_token_id = 0
        fields = gguf.GGUFReader(model).fields
        self.eos_token_id = fields["tokenizer.ggml.eos_token_id"].contents()

    def info(self) -> dict[str, Any]:
        """Name, versions and type of the weights."""
        return {
            "name": "transformers",
            "version": version("transformers"),
            "torch": torch.__version__,
            "dtype": self.dtype,
            "attention": self.model.config._attn_implementation,
            "load_seconds": self.load_seconds,
        }

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says."""
        settings = {**sampling, "do_sample": True} if sampling else {"do_sample": False}
        torch.manual_seed(settings.pop("seed", 0))
        clock = Clock()
        start = time.perf_counter()
        [found] = self._run([ids], max_new_tokens, streamer=clock, **settings)
        wall = time.perf_counter() - start
        return figures(len(ids), found, clock.times[1] - start, wall)

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts of one length greedily, as one batch."""
        start = time.perf_counter()
        found = self._run(prompts, max_new_tokens, do_sample=False)
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        start = time.perf_counter()
        [found] = self._run(
            [ids],
            max_new_tokens,
            num_beams=num_beams,
            min_new_tokens=max_new_tokens,
            eos_token_id=self.eos_token_id,
            do_sample=False,
        )
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    @torch.inference_mode()
    def _run(self, prompts: list[list[int]], count: int, **settings: Any) -> list[list[int]]:
        ids = torch.tensor(prompts)
        mask = torch.ones_like(ids)
        whole = self.model.generate(ids, attention_mask=mask, max_new_tokens=count, **settings)
        return whole[:, ids.shape[1] :].tolist()


def main() -> None:
    """Serve the model named on the command line."""
    peer = Transformers(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    serve(
        {
            "info": peer.info,
            "load": peer.info,
            "generate": peer.generate,
            "generate_many": peer.generate_many,
            "generate_beams": peer.generate_beams,
        }
    )


if __name__ == "__main__":
    main()
