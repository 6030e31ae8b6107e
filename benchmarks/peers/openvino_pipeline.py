"""OpenVINO GenAI as a peer: its `LLMPipeline`, which reads GGUF files of some architectures.

usage: python -m benchmarks.peers.openvino_pipeline MODEL THREADS

Settings are those of a CPU by default: paged attention with continuous batching, keys and values in
8 bits, weights in the file's own codes.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import openvino
import openvino_genai

from benchmarks.common.lines import figures, serve_engine


class OpenVINO:
    """The operations that the benchmarks ask of every peer."""

    def __init__(self, model: str, threads: int) -> None:
        start = time.perf_counter()
        self.threads = threads
        self.pipeline = openvino_genai.LLMPipeline(model, "CPU", INFERENCE_NUM_THREADS=threads)
        self.load_seconds = time.perf_counter() - start

    def load(self) -> dict[str, Any]:
        """The model is there already: what it is."""
        return {
            "name": "OpenVINO GenAI",
            "version": openvino_genai.__version__,
            "openvino": openvino.__version__,
            "settings": {"INFERENCE_NUM_THREADS": self.threads},
            "load_seconds": self.load_seconds,
        }

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says."""
        settings: dict[str, Any] = {"do_sample": False}
        if sampling:
            settings = {**sampling, "do_sample": True, "rng_seed": sampling["seed"]}
            del settings["seed"]
        start = time.perf_counter()
        result = self._run([ids], max_new_tokens, **settings)
        wall = time.perf_counter() - start
        first = result.perf_metrics.get_ttft().mean / 1000
        return figures(len(ids), list(result.tokens[0]), first, wall)

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts of one length greedily, as one batch."""
        start = time.perf_counter()
        result = self._run(prompts, max_new_tokens, do_sample=False)
        return {"ids": [*map(list, result.tokens)], "wall_seconds": time.perf_counter() - start}

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        start = time.perf_counter()
        result = self._run([ids], max_new_tokens, do_sample=False, num_beams=num_beams)
        return {"ids": list(result.tokens[0]), "wall_seconds": time.perf_counter() - start}

    def _run(self, prompts: list[list[int]], count: int, **settings: Any) -> Any:
        config = openvino_genai.GenerationConfig()
        config.update_generation_config(
            max_new_tokens=count, min_new_tokens=count, ignore_eos=True, **settings
        )
        ids = np.array(prompts, np.int64)
        inputs = openvino_genai.TokenizedInputs(
            openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids))
        )
        return self.pipeline.generate(inputs, config)


def main() -> None:
    """Serve the model named on the command line."""
    peer = OpenVINO(sys.argv[1], int(sys.argv[2]))
    serve_engine(peer)


if __name__ == "__main__":
    main()
