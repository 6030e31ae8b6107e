"""What `trace=True` adds to a decode step of the default model: plain and traced runs in turns.

    python -m benchmarks.speed.tracing --rounds 7

Steps are timed from the first token on, the making of texts included. Prints a table, then one line
of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

from foretell import LLM

PROMPT = "Once upon a time"
NUM_TOKENS = 96
CASES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "T 0.8, top-k 50, top-p 0.9, repetition 1.1": {
        "temperature": 0.8,
        "top_k": 50,
        "top_p": 0.9,
        "repetition_penalty": 1.1,
    },
    "T 0.8, top-p 0.9": {"temperature": 0.8, "top_p": 0.9},
}


def step_ms(llm: LLM, settings: dict[str, Any], *, trace: bool) -> float:
    """Milliseconds of a decode step, over one run."""
    seed = {"seed": 1} if settings else {}
    output = llm.generate(
        PROMPT, max_new_tokens=NUM_TOKENS, ignore_eos=True, trace=trace, **settings, **seed
    )
    return 1000 / output.usage.tokens_per_second


def measure(llm: LLM, settings: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Medians of both, and of what is added in each round, with the least and the most."""
    pairs = [
        (step_ms(llm, settings, trace=False), step_ms(llm, settings, trace=True))
        for _ in range(rounds)
    ]
    shares = [traced / plain - 1 for plain, traced in pairs]
    return {
        "plain_ms": statistics.median(plain for plain, _ in pairs),
        "traced_ms": statistics.median(traced for _, traced in pairs),
        "added": statistics.median(shares),
        "added_least": min(shares),
        "added_most": max(shares),
    }


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    results = []
    with LLM(context_length=512, speculation=None) as llm:
        step_ms(llm, {}, trace=True)  # the first run warms up
        for name, settings in CASES.items():
            found = measure(llm, settings, rounds)
            results.append({"case": name, **found})
            spread = f"{found['added_least']:.0%} … {found['added_most']:.0%}"
            times = f"{found['plain_ms']:6.2f} ms {found['traced_ms']:6.2f} ms"
            print(f"{name:<44}{times}  +{found['added']:.0%} ({spread})")
    print(json.dumps({"results": results}))


if __name__ == "__main__":
    main()
