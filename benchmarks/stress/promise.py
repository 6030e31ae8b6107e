"""The promise: a request's answer is the same, bit for bit, however it is run.

    .venv/bin/python -m benchmarks.stress.promise MODEL.gguf --threads 2 --requests 200

Random requests (ways.py: prompts of 1 to 1,000 tokens, short ones more often,
half of them with a beginning that others share; greedy, samplers, penalties, beams, guidance, log-
probabilities, several samples, seeds) run alone, each in an engine of its own, and then in every
other way. Counted are requests whose token ids, log-probabilities or ends differ from those alone,
and rows of logits that are not what they were, bit for bit, for the same tokens. All must be 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, get_args

from benchmarks.common.harness import options, write_result
from benchmarks.stress.ways import (
    WAYS,
    Outcome,
    Witness,
    make_requests,
    run_alone,
    run_squeezed,
    run_together,
    short_ones,
)
from foretell.backends.base import Backend
from foretell.backends.native.backend import NativeBackend
from foretell.backends.native.options import KVDtype
from foretell.engine.engine import Engine
from foretell.engine.request import Request
from foretell.formats.gguf import GGUFFile

POSITIONS = 32_768  # in the KV pool, where it is not made small
OTHER_BACKENDS: tuple[dict[str, int], ...] = (
    {"threads": 1},
    {"threads": 2},
    {"block_size": 32},
    {"block_size": 64},
)


class Trial:
    """The requests, their answers alone, and what came of each way to run them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.rows: dict[bytes, bytes] = {}
        self.ways: list[dict[str, Any]] = []
        self.backend = self.load()
        vocab_size = self.backend.info.vocab_size
        self.requests = make_requests(arguments.requests, vocab_size, seed=arguments.seed)
        start = time.perf_counter()
        self.alone = run_alone(Witness(self.backend, self.rows), self.requests)
        self.seconds_alone = time.perf_counter() - start

    def load(self, *, threads: int | None = None, block_size: int = 16) -> NativeBackend:
        """The model, with as many positions in its pool whatever the size of a block."""
        with GGUFFile.open(self.arguments.model) as file:
            return NativeBackend.load(
                file,
                threads=threads or self.arguments.threads,
                kv_dtype=self.arguments.kv_dtype,
                block_size=block_size,
                num_blocks=POSITIONS // block_size,
            )

    def run(
        self,
        name: str,
        way: Callable[[Backend, Sequence[Request]], Outcome],
        *,
        backend: Backend | None = None,
    ) -> None:
        """All requests in one way, on this backend."""
        witness = Witness(backend or self.backend, self.rows)
        start = time.perf_counter()
        outcome = way(witness, self.requests)
        self.note(name, outcome, witness, range(len(self.requests)), time.perf_counter() - start)

    def squeeze(self, name: str, indices: Sequence[int]) -> None:
        """Some requests in a pool that just holds the largest of them."""
        start = time.perf_counter()
        requests = [self.requests[index] for index in indices]
        outcome, witness = run_squeezed(self.backend, requests, self.rows)
        self.note(name, outcome, witness, indices, time.perf_counter() - start)

    def note(
        self, name: str, outcome: Outcome, witness: Witness, indices: Sequence[int], seconds: float
    ) -> None:
        """Compare, print, and keep."""
        answers = zip(indices, outcome.answers, strict=True)
        stats = outcome.stats
        result = {
            "way": name,
            "requests": len(indices),
            "requests_that_differ": sum(self.alone[index] != one for index, one in answers),
            "rows": witness.num_rows,
            "rows_seen_before": witness.num_known,
            "rows_that_differ": witness.num_differing,
            "num_blocks": stats.num_blocks,
            "preemptions": stats.preemptions,
            "hit_rate": stats.hit_rate,
            "steps": stats.steps,
            "seconds": seconds,
        }
        self.ways.append(result)
        print(
            f"{name:<32} {result['requests_that_differ']:>4} of {len(indices)} requests differ, "
            f"{witness.num_differing:>4} of {witness.num_known} rows; {stats.preemptions} "
            f"preempted, {stats.hit_rate:.0%} in the cache, {seconds:.1f} s",
            flush=True,
        )


def main() -> None:
    """Run all ways and write the result; exit code 1 if anything differs."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("--requests", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--seed", type=int, default=2, help="of the requests (default 2)")
    parser.add_argument("--kv-dtype", choices=get_args(KVDtype), default="float16")
    arguments = parser.parse_args()
    trial = Trial(arguments)
    for name, way in WAYS.items():
        trial.run(name, way)
    trial.squeeze("smallest pool, short prompts", short_ones(trial.requests))
    trial.squeeze("smallest pool", range(len(trial.requests)))
    for settings in OTHER_BACKENDS:
        name = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in settings.items())
        trial.run(
            name,
            lambda backend, requests: run_together(Engine(backend), requests),
            backend=trial.load(**settings),
        )
    differing = sum(one["requests_that_differ"] + one["rows_that_differ"] for one in trial.ways)
    preemptions = sum(one["preemptions"] for one in trial.ways)
    lengths = [len(one.prompt) for one in trial.requests]
    result = {
        "requests": len(lengths),
        "prompt_tokens": sum(lengths),
        "longest_prompt": max(lengths),
        "samples": sum(one.num_samples for one in trial.requests),
        "seed": arguments.seed,
        "kv_dtype": arguments.kv_dtype,
        "description": trial.backend.info.description,
        "distinct_rows": len(trial.rows),
        "seconds_alone": trial.seconds_alone,
        "differing": differing,
        "preemptions": preemptions,
        "ways": trial.ways,
    }
    write_result("promise", arguments, result)
    print("all equal, bit for bit" if not differing else f"{differing} DIFFER")
    if not preemptions:
        print("nothing was preempted: too few requests to show anything")
    sys.exit(1 if differing or not preemptions else 0)


if __name__ == "__main__":
    main()
