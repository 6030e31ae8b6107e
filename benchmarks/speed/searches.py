"""What searches cost beside the model: CPU time of a run over that of its forward passes.

    python -m benchmarks.speed.searches --rounds 5

One thread, so that nobody waits for another. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from foretell import LLM
from foretell.backends.native.backend import NativeBackend

PROMPT = "The cat sat on the"
NUM_TOKENS = 48
WORDS = [" garden", [" dog", " dogs"]]
CASES: dict[str, dict[str, Any]] = {
    "6 beams": {"num_beams": 6},
    "6 beams in 2 groups": {"num_beams": 6, "num_beam_groups": 2, "diversity_penalty": 1.0},
    "6 beams in 6 groups": {"num_beams": 6, "num_beam_groups": 6, "diversity_penalty": 1.0},
    "16 beams in 4 groups": {"num_beams": 16, "num_beam_groups": 4, "diversity_penalty": 1.0},
    "6 beams, 2 words": {"num_beams": 6, "force_words": WORDS},
    "6 stochastic beams": {"num_beams": 6, "stochastic_beams": True, "seed": 1},
    "16 stochastic beams": {"num_beams": 16, "stochastic_beams": True, "seed": 1},
    "4 contrasted candidates": {"penalty_alpha": 0.6, "top_k": 4},
    "8 contrasted candidates": {"penalty_alpha": 0.6, "top_k": 8},
    "DoLa, low layers": {"dola_layers": "low"},
    "DoLa, one layer": {"dola_layers": [10]},
}


class Clock:
    """Counts the CPU seconds that forward passes take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def start(self) -> None:
        """Let every backend be counted from now on."""
        for name in ("forward", "forward_with_states"):
            setattr(NativeBackend, name, self._counted(getattr(NativeBackend, name)))

    def _counted(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            before = time.process_time()
            try:
                return forward(*arguments)
            finally:
                self.seconds += time.process_time() - before

        return call


def run(llm: LLM, clock: Clock, settings: dict[str, Any]) -> tuple[float, float]:
    """CPU seconds of one run, and of its forward passes."""
    before, passes = time.process_time(), clock.seconds
    llm.generate(PROMPT, max_new_tokens=NUM_TOKENS, ignore_eos=True, **settings)
    return time.process_time() - before, clock.seconds - passes


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    clock, results = Clock(), []
    clock.start()
    with LLM(context_length=512, threads=1, speculation=None) as llm:
        for name, settings in CASES.items():
            run(llm, clock, settings)  # the first run warms up
            runs = [run(llm, clock, settings) for _ in range(rounds)]
            ratios = [whole / passes for whole, passes in runs]
            seconds = statistics.median(whole for whole, _ in runs)
            ratio = statistics.median(ratios)
            results.append({"case": name, "seconds": seconds, "ratio": ratio, "most": max(ratios)})
            most = f"{max(ratios):.2f} at most"
            print(f"{name:<24}{seconds:7.2f} s  {ratio:.2f} × its passes ({most})")
    print(json.dumps({"results": results}))


if __name__ == "__main__":
    main()
