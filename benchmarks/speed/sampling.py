"""How long the choice of one token takes: the fused chain in C++ and numpy's, in turns.

    python -m benchmarks.speed.sampling --step-ms 2.6

Each case draws from rows shaped like a language model's: a head that falls off by rank (Zipf) over
a bulk of normal noise. `--rows ROWS.npy` takes logits `(rows, vocab_size)` of a real model instead.
Both are given a fresh copy of the row, whose cost is measured alone and taken off; the row is in
the cache, as it is after a decode step. The time of Python around the C++ call is counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foretell.decoding.fused.chain import FusedChain, choose, kept
from foretell.decoding.philox import uniform
from foretell.decoding.processors.penalties import RepetitionPenalty
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import TopK, TopP
from foretell.decoding.sampler import draw, greedy

VOCAB_SIZES = (49_152, 262_144)
HEAD, PEAK, FALL = 300, 16.0, 2.2  # tokens of the head, its largest logit, logits lost per ln(rank)
CALLS = 20  # in one timing


@dataclass(frozen=True)
class History:
    """Tokens of a sequence so far."""

    tokens: Sequence[int]
    num_prompt_tokens: int = 0
    index: int = 0


@dataclass(frozen=True)
class Case:
    """The same settings as a fused chain and as numpy's processors (none: greedy)."""

    name: str
    settings: dict[str, object]
    processors: tuple[Callable[[np.ndarray, History], None], ...]


CASES = (
    Case(
        "T 0.8, top-k 50, top-p 0.9, repetition 1.1",
        {
            "steps": [("temperature", 0.8), ("top_k", 50), ("top_p", 0.9)],
            "repetition_penalty": 1.1,
        },
        (RepetitionPenalty(1.1), Temperature(0.8), TopK(50), TopP(0.9)),
    ),
    Case("top-p 0.9", {"steps": [("top_p", 0.9)]}, (TopP(0.9),)),
    Case("greedy", {"greedy": True}, ()),
)


def made_up_rows(count: int, vocab_size: int) -> np.ndarray:
    """Rows shaped like a language model's logits, `(count, vocab_size)`."""
    rng = np.random.default_rng(vocab_size)
    rows = rng.normal(0, 2, (count, vocab_size)).astype(np.float32)
    for row in rows:
        head = rng.choice(vocab_size, HEAD, replace=False)
        fall = FALL * np.log(np.arange(1, HEAD + 1)) + rng.normal(0, 0.3, HEAD)
        row[head] = np.maximum(row[head], PEAK - fall)
    return rows


def numpy_choice(case: Case, row: np.ndarray, history: History, quantile: float) -> int:
    """One token by the processors and the sampler."""
    if not case.processors:
        return greedy(row)
    for processor in case.processors:
        processor(row, history)
    return draw(row, quantile)


def microseconds(choice: Callable[[np.ndarray, float], int], rows: np.ndarray) -> float:
    """The mean time of a choice over some rows, without that of copying the row."""
    work = np.empty_like(rows[0])
    copying = choosing = 0.0
    for call in range(CALLS):
        row = rows[call % len(rows)]
        quantile = uniform(1, 0, call)
        start = time.perf_counter()
        work[:] = row
        copied = time.perf_counter()
        choice(work, quantile)
        choosing += time.perf_counter() - copied
        copying += copied - start
    return choosing / CALLS * 1e6


def measure(case: Case, rows: np.ndarray, num_tokens: int, rounds: int) -> dict[str, object]:
    """Both twins in turns: median, least and most microseconds a choice."""
    vocab_size = rows.shape[1]
    ids = np.random.default_rng(7).integers(0, vocab_size, num_tokens)
    history = History(tuple(ids.tolist()))
    chain = FusedChain(vocab_size=vocab_size, **case.settings)
    chain.advance(history)

    def fused(row: np.ndarray, quantile: float) -> int:
        chain.advance(history)
        return choose(row[None], [0], [chain], [quantile])[0]

    def plain(row: np.ndarray, quantile: float) -> int:
        return numpy_choice(case, row, history, quantile)

    for number, row in enumerate(rows):
        quantile = uniform(2, 0, number)
        if fused(row.copy(), quantile) != plain(row.copy(), quantile):
            raise SystemExit(f"{case.name}: the twins differ on row {number}")
    times: dict[str, list[float]] = {"fused": [], "numpy": []}
    for _ in range(rounds):
        times["fused"].append(microseconds(fused, rows))
        times["numpy"].append(microseconds(plain, rows))
    kept_tokens = statistics.median(len(kept(row.copy(), chain)) for row in rows)
    return {"case": case.name, "vocab_size": vocab_size, "kept": kept_tokens} | {
        name: {"median_us": statistics.median(us), "least_us": min(us), "most_us": max(us)}
        for name, us in times.items()
    }


def line(result: dict[str, object], step_ms: float | None) -> str:
    """One row of the table."""
    columns = [f"{result['case']:<44}{result['vocab_size']:>8}{result['kept']:>8.0f}"]
    for name in ("fused", "numpy"):
        us = result[name]
        spread = f"({us['least_us']:.0f} … {us['most_us']:.0f})"
        columns.append(f"{us['median_us']:>8.1f} {spread:<16}")
    if step_ms:
        columns.append(f"{result['fused']['median_us'] / step_ms / 10:>5.1f} %")
    return "".join(columns)


def main() -> None:
    """Print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="timings of each twin")
    parser.add_argument("--history", type=int, default=500, help="tokens already in the sequence")
    parser.add_argument("--step-ms", type=float, help="a decode step, to print the share of")
    parser.add_argument("--rows", help="a .npy file of float32 logits (rows, vocab_size)")
    options = parser.parse_args()
    tables = [np.load(options.rows)] if options.rows else []
    tables = tables or [made_up_rows(8, size) for size in VOCAB_SIZES]
    heading = f"{'case':<44}{'vocab':>8}{'kept':>8}{'fused µs':>9}{'':<16}{'numpy µs':>8}"
    print(heading + (f"{'':<16} of a step" if options.step_ms else ""))
    results = []
    for rows in tables:
        for case in CASES:
            results.append(measure(case, rows, options.history, options.rounds))
            print(line(results[-1], options.step_ms))
    print(json.dumps({"results": results, "step_ms": options.step_ms}))


if __name__ == "__main__":
    main()
