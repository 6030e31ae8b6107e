"""ONNX Runtime GenAI as a peer: int4, made by its own model builder.

usage: python -m benchmarks.peers.onnx_genai MODEL THREADS FOLDER

FOLDER keeps the converted model. It has the builder's defaults for a CPU: symmetric 4-bit groups of
32, activations in int8.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import onnxruntime_genai as og

from benchmarks.common.checkpoint import checkpoint, converted
from benchmarks.common.lines import UnsupportedError, figures, serve_engine

PRECISION = "int4"


class OnnxGenAI:
    """The operations that the benchmarks ask of every peer."""

    def __init__(self, model: str, threads: int, folder: str) -> None:
        self.path = Path(model)
        self.threads = threads
        self.folder = Path(folder)
        self.model: og.Model | None = None

    def load(self) -> dict[str, Any]:
        """Convert the model, if it is not yet, and load it: what it is."""
        target = converted(self.folder / f"{self.path.stem}-onnx-{PRECISION}", self._build)
        start = time.perf_counter()
        config = og.Config(str(target))
        session = {"intra_op_num_threads": self.threads}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        self.model = og.Model(config)
        return {
            "name": "ONNX Runtime GenAI",
            "version": og.__version__,
            "weights": PRECISION,
            "load_seconds": time.perf_counter() - start,
        }

    def _build(self, target: Path) -> None:
        source = checkpoint(self.path, self.folder)
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source]
        command += ["-o", target, "-p", PRECISION, "-e", "cpu", "-c", self.folder / "builder-cache"]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode:
            [*_, last] = done.stderr.strip().splitlines() or ["no word"]
            raise UnsupportedError(f"its model builder failed: {last}")

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says."""
        settings: dict[str, Any] = {"do_sample": False}
        if sampling:
            settings = {**sampling, "do_sample": True, "random_seed": sampling["seed"]}
            del settings["seed"]
        start = time.perf_counter()
        [found], first = self._run([ids], max_new_tokens, **settings)
        wall = time.perf_counter() - start
        return figures(len(ids), found, first - start, wall)

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts of one length greedily, as one batch."""
        start = time.perf_counter()
        found, _ = self._run(prompts, max_new_tokens, do_sample=False, batch_size=len(prompts))
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        start = time.perf_counter()
        [found], _ = self._run([ids], max_new_tokens, num_beams=num_beams, do_sample=False)
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    def _run(
        self, prompts: list[list[int]], count: int, **settings: Any
    ) -> tuple[list[list[int]], float]:
        """What follows each prompt, and when the first token was there."""
        given = len(prompts[0])
        params = og.GeneratorParams(self.model)
        length = given + count
        params.set_search_options(min_length=length, max_length=length, **settings)
        generator = og.Generator(self.model, params)
        generator.append_tokens(prompts)
        first = None
        while not generator.is_done():
            generator.generate_next_token()
            first = first or time.perf_counter()
        assert first
        found = [generator.get_sequence(row).tolist()[given:] for row in range(len(prompts))]
        return found, first


def main() -> None:
    """Serve the model named on the command line."""
    peer = OnnxGenAI(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    serve_engine(peer)


if __name__ == "__main__":
    main()
