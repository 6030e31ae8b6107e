"""CTranslate2 as a peer, with beams: int8, made by its own converter.

usage: python -m benchmarks.peers.ctranslate2_beams MODEL THREADS FOLDER

FOLDER keeps the converted model.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import ctranslate2
from ctranslate2.converters import TransformersConverter

from benchmarks.common.checkpoint import checkpoint, converted
from benchmarks.common.lines import serve

COMPUTE_TYPE = "int8"


class CTranslate2:
    """The operations that the benchmark of beams asks of every peer."""

    def __init__(self, model: str, threads: int, folder: str) -> None:
        self.path = Path(model)
        self.threads = threads
        self.folder = Path(folder)

    def load(self) -> dict[str, Any]:
        """Convert the model, if it is not yet, and load it: what it is."""
        source = checkpoint(self.path, self.folder)

        def convert(target: Path) -> None:
            converter = TransformersConverter(str(source))
            converter.convert(str(target), quantization=COMPUTE_TYPE)

        target = converted(self.folder / f"{self.path.stem}-ctranslate2-{COMPUTE_TYPE}", convert)
        self.tokens = json.loads((target / "vocabulary.json").read_text())
        self.generator = ctranslate2.Generator(
            str(target), device="cpu", compute_type=COMPUTE_TYPE, intra_threads=self.threads
        )
        return {
            "name": "CTranslate2",
            "version": ctranslate2.__version__,
            "weights": self.generator.compute_type,
        }

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """The best text of a beam search, that does not end before its last token."""
        prompt = [self.tokens[token] for token in ids]
        start = time.perf_counter()
        [result] = self.generator.generate_batch(
            [prompt],
            beam_size=num_beams,
            min_length=max_new_tokens,
            max_length=max_new_tokens,
            include_prompt_in_result=False,
        )
        wall = time.perf_counter() - start
        return {"ids": result.sequences_ids[0], "wall_seconds": wall}


def main() -> None:
    """Serve the model named on the command line."""
    peer = CTranslate2(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    serve({"load": peer.load, "generate_beams": peer.generate_beams})


if __name__ == "__main__":
    main()
