"""mistral.rs as a peer, through its Python runner.

usage: python -m benchmarks.peers.mistral_rs MODEL THREADS

It takes text alone, so prompts are turned into text first; speeds are by its own count of tokens.
Its threads are those of Rayon, which reads their number from the environment when it starts.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gguf
import mistralrs

from benchmarks.common.lines import UnsupportedError, serve_engine


class MistralRs:
    """The operations that the benchmarks ask of every peer."""

    def __init__(self, model: str) -> None:
        self.model = Path(model)
        self.texts: dict[int, str] = {}

    def load(self) -> dict[str, Any]:
        """Load the model: what it is. The library writes its log where replies are to go before."""
        start = time.perf_counter()
        which = mistralrs.Which.GGUF(str(self.model.parent), self.model.name)
        self.runner = mistralrs.Runner(which=which)
        return {
            "name": "mistral.rs",
            "version": version("mistralrs"),
            "settings": {"RAYON_NUM_THREADS": os.environ.get("RAYON_NUM_THREADS")},
            "load_seconds": time.perf_counter() - start,
        }

    def _text(self, ids: list[int]) -> str:
        """The text of ids, for the vocabularies of the benchmarks: GPT-2's and SentencePiece's."""
        if not self.texts:
            fields = gguf.GGUFReader(self.model).fields
            pieces = fields["tokenizer.ggml.tokens"].contents()
            self.texts = dict(enumerate(pieces))
        return _plain("".join(self.texts[token] for token in ids))

    def generate(
        self, ids: list[int], max_new_tokens: int, sampling: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Decode greedily, or as `sampling` says: its own figures, and the wall clock's."""
        settings = {"temperature": 0.0}
        if sampling:
            settings = {name: sampling[name] for name in ("temperature", "top_k", "top_p")}
        start = time.perf_counter()
        usage = self._complete(self._text(ids), max_new_tokens, settings)
        wall = time.perf_counter() - start
        return {
            "ids": [0] * usage.completion_tokens,  # it gives text
            "wall_seconds": wall,
            "prefill_tokens_per_second": usage.avg_prompt_tok_per_sec,
            "decode_tokens_per_second": usage.avg_compl_tok_per_sec,
        }

    def generate_many(self, prompts: list[list[int]], max_new_tokens: int) -> dict[str, Any]:
        """Its Python runner cannot."""
        raise UnsupportedError("its Python runner takes one completion at a time")

    def generate_beams(self, ids: list[int], num_beams: int, max_new_tokens: int) -> dict[str, Any]:
        """It has none."""
        raise UnsupportedError("it has no beam search")

    def _complete(self, text: str, count: int, settings: dict[str, Any]) -> Any:
        request = mistralrs.CompletionRequest(
            prompt=text, model="default", max_tokens=count, ignore_eos=True, **settings
        )
        return self.runner.send_completion_request(request).usage


def _plain(pieces: str) -> str:
    """Text of joined pieces: the signs that stand for a space and a line's end put right."""
    return pieces.replace("Ġ", " ").replace("Ċ", "\n").replace("▁", " ")


def main() -> None:
    """Serve the model named on the command line."""
    os.environ["RAYON_NUM_THREADS"] = sys.argv[2]
    peer = MistralRs(sys.argv[1])
    serve_engine(peer)


if __name__ == "__main__":
    main()
