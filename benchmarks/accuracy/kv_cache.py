"""What a smaller KV cache costs in accuracy, by the length of the context.

    .venv/bin/python -m benchmarks.accuracy.kv_cache MODEL.gguf --threads 2

Each text is read once for every `kv_dtype`, in one context. At the last positions before each
length: KL(float16 || kv_dtype) of the next token over the whole vocabulary, in float64, and whether
the most probable token is the same. With int8 activations a cache that differs at all makes other
roundings: float32 beside float16 shows how much that is, `--activations float32` leaves it out.
"""

from __future__ import annotations

import argparse
from typing import Any, get_args

import numpy as np

from benchmarks.accuracy.accuracy import compare, summarize
from benchmarks.common.harness import options, write_result
from benchmarks.common.texts import Text, long_prose, long_python_source
from foretell.backends.base import Batch
from foretell.backends.native.backend import NativeBackend
from foretell.backends.native.options import Activations, KVDtype
from foretell.formats.gguf import GGUFFile
from foretell.text.tokenizer import Tokenizer

BASE: KVDtype = "float16"


class Reader:
    """A backend that reads one text on and on, in blocks of its own."""

    def __init__(self, arguments: argparse.Namespace, kv_dtype: KVDtype, length: int) -> None:
        with GGUFFile.open(arguments.model) as file:
            self.backend = NativeBackend.load(
                file,
                threads=arguments.threads,
                kv_dtype=kv_dtype,
                activations=arguments.activations,
                num_blocks=-(-length // 16),
            )
        self.table = np.arange(self.backend.info.num_blocks, dtype=np.int32)[None, :]

    def read(self, ids: list[int], start: int, *, wants_logits: bool) -> np.ndarray:
        """Logits after each token of `ids`, which begin at position `start`; or of the last."""
        rows, most = [], self.backend.info.max_batch_tokens
        for at in range(0, len(ids), most):
            chunk = np.array(ids[at : at + most], np.int32)
            places = np.arange(len(chunk), dtype=np.int32)
            starts = np.array([0, len(chunk)], np.int32)
            asked = places if wants_logits else places[-1:]
            batch = Batch(chunk, start + at + places, starts, self.table, logits_indices=asked)
            rows.append(self.backend.forward(batch).copy())
        return np.concatenate(rows)


def measure_text(arguments: argparse.Namespace, ids: list[int]) -> dict[str, Any]:
    """Summaries by length, then by `kv_dtype`."""
    lengths = sorted(arguments.lengths)
    kinds = dict.fromkeys([BASE, *arguments.kinds])
    readers = {kind: Reader(arguments, kind, lengths[-1]) for kind in kinds}
    result: dict[str, Any] = {}
    done = 0
    for length in lengths:
        first = max(done, length - arguments.positions)
        rows = {}
        for kind, reader in readers.items():
            if first > done:
                reader.read(ids[done:first], done, wants_logits=False)
            rows[kind] = reader.read(ids[first:length], first, wants_logits=True)
        base = rows.pop(BASE)
        result[str(length)] = {
            kind: summarize(compare(base, given)) for kind, given in rows.items()
        }
        done = length
    return result


def show(text: Text, result: dict[str, Any]) -> None:
    """A line for each length and kind."""
    for length, kinds in result.items():
        for kind, summary in kinds.items():
            print(
                f"{text.name}, {length:>5} positions, {kind:<8} beside {BASE}: KL "
                f"{summary['mean_kl_nats']:.2e} ± {summary['standard_error']:.1e} nats, "
                f"99 % below {summary['p99_kl_nats']:.1e}, top-1 {summary['top1_agreement']:.1%}",
                flush=True,
            )


def main() -> None:
    """Measure, show and write."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("--lengths", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--positions", type=int, default=200, help="compared before each length")
    parser.add_argument("--activations", choices=get_args(Activations), default="int8")
    parser.add_argument("--kinds", nargs="+", default=[*get_args(KVDtype)], help="of kv_dtype")
    arguments = parser.parse_args()
    with GGUFFile.open(arguments.model) as file:
        tokenizer = Tokenizer.from_gguf(file.metadata, source=str(arguments.model))
    texts = []
    for text in (long_python_source(), long_prose()):
        ids = tokenizer.encode(text.text)
        if len(ids) < max(arguments.lengths):
            raise SystemExit(f"{text.name} has only {len(ids)} tokens")
        result = measure_text(arguments, ids)
        show(text, result)
        texts.append({"text": text.name, "sha256": text.sha256, "lengths": result})
    write_result(
        "kv-cache-accuracy",
        arguments,
        {"base": BASE, "activations": arguments.activations, "texts": texts},
    )


if __name__ == "__main__":
    main()
