"""CTranslate2 as a peer: int8, made by its own converter.

usage: python -m benchmarks.peers.ctranslate2_int8 MODEL THREADS FOLDER

FOLDER keeps the converted model.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import ctranslate2

from benchmarks.common.checkpoint import checkpoint, converted
from benchmarks.common.lines import figures, serve_engine

COMPUTE_TYPE = "int8"


class CTranslate2:
    """The operations that the benchmarks ask of every peer."""

    def __init__(self, model: str, threads: int, folder: str) -> None:
        self.path = Path(model)
        self.threads = threads
        self.folder = Path(folder)

    def load(self) -> dict[str, Any]:
        """Convert the model, if it is not yet, and load it: what it is."""
        target = self.folder / f"{self.path.stem}-ctranslate2-{COMPUTE_TYPE}"
        converted(target, self._convert)
        start = time.perf_counter()
        self.tokens = json.loads((target / "vocabulary.json").read_text())
        self.generator = ctranslate2.Generator(
            str(target), device="cpu", compute_type=COMPUTE_TYPE, intra_threads=self.threads
        )
        return {
            "name": "CTranslate2",
            "version": ctranslate2.__version__,
            "weights": self.generator.compute_type,
            "load_seconds": time.perf_counter() - start,
        }

    def _convert(self, target: Path) -> None:
        from ctranslate2.converters import TransformersConverter

        converter = TransformersConverter(str(checkpoint(self.path, self.folder)))
        converter.convert(str(target), quantization=COMPUTE_TYPE)

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says."""
        times: list[float] = []

        def note(_: Any) -> bool:
            times.append(time.perf_counter())
            return False

        start = time.perf_counter()
        [found] = self._run([ids], max_new_tokens, callback=note, **_sampling(sampling))
        wall = time.perf_counter() - start
        return figures(len(ids), found, times[0] - start, wall)

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Decode prompts of one length greedily, as one batch."""
        start = time.perf_counter()
        found = self._run(prompts, max_new_tokens)
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        start = time.perf_counter()
        [found] = self._run([ids], max_new_tokens, beam_size=num_beams)
        return {"ids": found, "wall_seconds": time.perf_counter() - start}

    def _run(self, prompts: list[list[int]], count: int, **settings: Any) -> list[list[int]]:
        results = self.generator.generate_batch(
            [[self.tokens[token] for token in ids] for ids in prompts],
            min_length=count,
            max_length=count,
            include_prompt_in_result=False,
            **settings,
        )
        return [result.sequences_ids[0] for result in results]


def _sampling(settings: dict[str, Any] | None) -> dict[str, Any]:
    """The settings under its own names; the seed is the whole process's."""
    if not settings:
        return {}
    ctranslate2.set_random_seed(settings["seed"])
    names = ("temperature", "top_k", "top_p")
    return {f"sampling_{name.replace('_', '')}": settings[name] for name in names}


def main() -> None:
    """Serve the model named on the command line."""
    peer = CTranslate2(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    serve_engine(peer)


if __name__ == "__main__":
    main()
