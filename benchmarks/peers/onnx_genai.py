"""ONNX Runtime GenAI as a peer, with beams: int4, made by its own model builder.

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
from benchmarks.common.lines import serve

PRECISION = "int4"


class OnnxGenAI:
    """The operations that the benchmark of beams asks of every peer."""

    def __init__(self, model: str, threads: int, folder: str) -> None:
        self.path = Path(model)
        self.threads = threads
        self.folder = Path(folder)
        self.model: og.Model | None = None

    def load(self) -> dict[str, Any]:
        """Convert the model, if it is not yet, and load it: what it is."""
        target = self.folder / f"{self.path.stem}-onnx-{PRECISION}"
        config = og.Config(str(converted(target, self._build)))
        session = {"intra_op_num_threads": self.threads}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        self.model = og.Model(config)
        return {
            "name": "ONNX Runtime GenAI",
            "version": og.__version__,
            "weights": PRECISION,
        }

    def _build(self, target: Path) -> None:
        source = checkpoint(self.path, self.folder)
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source]
        command += ["-o", target, "-p", PRECISION, "-e", "cpu", "-c", self.folder / "builder-cache"]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the model builder failed: {done.stderr.strip()[-500:]}")

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        length = len(ids) + max_new_tokens
        start = time.perf_counter()
        params = og.GeneratorParams(self.model)
        params.set_search_options(
            num_beams=num_beams, min_length=length, max_length=length, do_sample=False
        )
        generator = og.Generator(self.model, params)
        generator.append_tokens([ids])
        while not generator.is_done():
            generator.generate_next_token()
        whole = generator.get_sequence(0).tolist()
        wall = time.perf_counter() - start
        return {"ids": whole[len(ids) :], "wall_seconds": wall}


def main() -> None:
    """Serve the model named on the command line."""
    peer = OnnxGenAI(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    serve({"load": peer.load, "generate_beams": peer.generate_beams})


if __name__ == "__main__":
    main()
