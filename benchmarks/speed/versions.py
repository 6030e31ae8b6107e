"""Two checkouts of foretell side by side: is one slower than the other by more than the noise?

    python -m benchmarks.speed.versions MODEL.gguf BEFORE/.venv/bin/python AFTER/.venv/bin/python

Each round starts a fresh process of either checkout and asks them in turns, figure by figure and
repeat by repeat, so that a slow moment of the machine hits both; of the repeats the best counts.
A ratio above 1 says that the second is faster; it is taken round by round. Give the same
interpreter twice to see the noise.

With `--cpu --threads 1` the clock is the CPU time of the process, which tells Python's part and the
kernels' even where other programs run beside.

This file is parent and child: the child knows foretell's public names alone.
"""

from __future__ import annotations

import argparse
import collections
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

STARTS = 7  # repeats of the figures that start a program
SIDES = ("first", "second")
CHILD = "--in-child"

FIGURES = {
    "decode": "tokens/s",
    "decode, sampled": "tokens/s",
    "decode, trace=True": "tokens/s",
    "prefill": "tokens/s",
    "8 sequences": "tokens/s",
    "32 sequences": "tokens/s",
    "5 beams": "tokens/s",
    "first token": "ms",
    "load": "ms",
    "import foretell": "ms",
    "foretell --version": "ms",
}
"""What is measured, and in what; of milliseconds less is better."""

IMPORT = """
import time
start = time.CLOCK()
import foretell
print(1000 * (time.CLOCK() - start))
"""


class Meter:
    """In the child: a model, and what can be measured of it."""

    SHORT = (504, 2644, 3219, 335, 260, 1021, 28, 3164, 578)
    WARM: ClassVar[dict[str, Any]] = {"temperature": 0.9, "top_k": 50, "top_p": 0.9, "seed": 1}

    def __init__(self, model: str, threads: int, tokens: int, clock: Callable[[], float]) -> None:
        from foretell import LLM

        plain = {"speculation": None} if "speculation" in signature(LLM).parameters else {}
        self.clock = clock
        self.tokens = tokens
        start = clock()
        self.llm = LLM(model, threads=threads, prefix_caching=False, **plain)
        self.load = 1000 * (clock() - start)

    def decode(self, **settings: Any) -> float:
        """Tokens after the first, a second."""
        chunks = self._stream(self.tokens, **settings)
        next(chunks)
        start = self.clock()
        collections.deque(chunks, maxlen=0)
        return (self.tokens - 1) / (self.clock() - start)

    def prefill(self) -> float:
        """Tokens of a long prompt, a second."""
        prompt = [300 + (7 * place) % 4000 for place in range(512)]
        start = self.clock()
        self.llm.generate(prompt, max_new_tokens=1)
        return len(prompt) / (self.clock() - start)

    def together(self, count: int, **settings: Any) -> float:
        """Tokens of all sequences, a second of the whole call."""
        prompts = [[*self.SHORT, 400 + place, 700 + 3 * place] for place in range(count)]
        tokens = self.tokens // 2
        start = self.clock()
        self.llm.generate(prompts, max_new_tokens=tokens, ignore_eos=True, **settings)
        return count * tokens / (self.clock() - start)

    def first_token(self) -> float:
        """Milliseconds from the call to the first chunk, the least of some."""
        times = []
        for _ in range(10):
            start = self.clock()
            chunks = self._stream(2)
            next(chunks)
            times.append(self.clock() - start)
            chunks.close()
        return 1000 * min(times)

    def measure(self, name: str) -> float:
        """One figure."""
        runs: dict[str, Callable[[], float]] = {
            "decode": self.decode,
            "decode, sampled": lambda: self.decode(**self.WARM),
            "decode, trace=True": lambda: self.decode(**self.WARM, trace=True),
            "prefill": self.prefill,
            "8 sequences": lambda: self.together(8),
            "32 sequences": lambda: self.together(32),
            "5 beams": lambda: self.together(1, num_beams=5),
            "first token": self.first_token,
            "load": lambda: self.load,
        }
        return runs[name]()

    def _stream(self, tokens: int, **settings: Any) -> Any:
        return self.llm.stream(list(self.SHORT), max_new_tokens=tokens, ignore_eos=True, **settings)


def serve(model: str, threads: str, tokens: str, is_cpu: str) -> None:
    """In the child: answer a figure's name, a line, with its value."""
    clock = time.process_time if is_cpu == "True" else time.perf_counter
    meter = Meter(model, int(threads), int(tokens), clock)
    meter.decode()  # to warm up
    print("ready", flush=True)
    for line in sys.stdin:
        print(meter.measure(line.strip()), flush=True)


class Side:
    """In the parent: one checkout, its child started anew for a round."""

    def __init__(self, python: str, arguments: argparse.Namespace) -> None:
        self.python = python
        self.is_cpu = arguments.cpu
        options = (arguments.model, arguments.threads, arguments.tokens, arguments.cpu)
        self.child = subprocess.Popen(
            [python, __file__, CHILD, *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._answer() != "ready":
            raise SystemExit(f"{python} could not open {arguments.model}")

    def measure(self, name: str) -> float:
        """One figure, once."""
        if name == "import foretell":
            program = IMPORT.replace("CLOCK", "process_time" if self.is_cpu else "perf_counter")
            return float(output_of([self.python, "-c", program]))
        if name == "foretell --version":
            return self._start([str(Path(self.python).parent / "foretell"), "--version"])
        assert self.child.stdin
        self.child.stdin.write(name + "\n")
        self.child.stdin.flush()
        return float(self._answer())

    def end(self) -> None:
        """Let the child go."""
        self.child.communicate()

    def _answer(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline().strip()

    def _start(self, command: list[str]) -> float:
        """Milliseconds of a program from its start to its end."""
        before, start = _cpu_of_children(), time.perf_counter()
        output_of(command)
        wall, cpu = time.perf_counter() - start, _cpu_of_children() - before
        return 1000 * (cpu if self.is_cpu else wall)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_round(arguments: argparse.Namespace, number: int) -> dict[str, dict[str, float]]:
    """All figures of both sides, the best of the repeats of each."""
    sides = {side: Side(getattr(arguments, side), arguments) for side in SIDES}
    order = SIDES if number % 2 == 0 else SIDES[::-1]
    found: dict[str, dict[str, float]] = {side: {} for side in SIDES}
    for name, unit in FIGURES.items():
        best = min if unit == "ms" else max
        repeats = STARTS if name in ("import foretell", "foretell --version") else arguments.repeats
        for _ in range(1 if name == "load" else repeats):
            for side in order:
                value = sides[side].measure(name)
                found[side][name] = best(found[side].get(name, value), value)
    for side in sides.values():
        side.end()
    return found


def output_of(command: list[str]) -> str:
    """What a command prints; the end if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stderr}")
    return done.stdout


def compared(name: str, rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """One figure of both sides, and how much faster the second is."""
    from benchmarks.common.harness import spread

    first, second = ([one[side][name] for one in rounds] for side in SIDES)
    is_time = FIGURES[name] == "ms"
    pairs = list(zip(first, second, strict=True))
    best = [min(values) if is_time else max(values) for values in (first, second)]
    return {
        "name": name,
        "unit": FIGURES[name],
        "first": spread(first),
        "second": spread(second),
        "ratio": spread([one / other if is_time else other / one for one, other in pairs]),
        "ratio_of_best": best[0] / best[1] if is_time else best[1] / best[0],
    }


def show(figures: list[dict[str, Any]]) -> None:
    """The table, for people."""
    print(f"{'':<20} {'first':>24} {'second':>24}  {'':<9} {'ratio':>21} {'of best':>8}")
    for one in figures:
        cells = []
        for side in SIDES:
            figure = one[side]
            span = f"({figure['min']:.4g} to {figure['max']:.4g})"
            cells.append(f"{figure['median']:>7.4g} {span:<16}")
        ratio = one["ratio"]
        span = f"({ratio['min']:.2f} to {ratio['max']:.2f})"
        print(
            f"{one['name']:<20} {cells[0]} {cells[1]}  {one['unit']:<9} "
            f"{ratio['median']:>6.3f} {span:<14} {one['ratio_of_best']:>8.3f}"
        )


def about(python: str) -> dict[str, Any]:
    """Which tree and which Python one side is."""
    program = (
        "import foretell, platform; print(foretell.__file__); print(platform.python_version())"
    )
    where, python_version = output_of([python, "-c", program]).split("\n")[:2]
    commit = output_of(["git", "-C", str(Path(where).parent), "rev-parse", "HEAD"]).strip()
    return {"commit": commit, "python": python_version}


def main() -> None:
    """Measure in turns, print the table, and keep the figures."""
    from benchmarks.common.harness import options, write_result

    assert __doc__
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("first", help="Python of the environment of one checkout (before)")
    parser.add_argument("second", help="... and of the other (after)")
    parser.add_argument("--rounds", type=int, default=5, help="(default 5)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="of each figure in a round (default 3)"
    )
    parser.add_argument("--tokens", type=int, default=96, help="to decode (default 96)")
    parser.add_argument("--cpu", action="store_true", help="take CPU time, not the wall clock")
    arguments = parser.parse_args()
    rounds = []
    for number in range(arguments.rounds):
        rounds.append(run_round(arguments, number))
        decode = ", ".join(f"{rounds[-1][side]['decode']:.1f}" for side in SIDES)
        print(f"round {number + 1}: decode {decode} tokens/s", file=sys.stderr, flush=True)
    figures = [compared(name, rounds) for name in FIGURES]
    show(figures)
    result = {
        "sides": {side: about(getattr(arguments, side)) for side in SIDES},
        "rounds": arguments.rounds,
        "repeats": arguments.repeats,
        "tokens": arguments.tokens,
        "clock": "CPU" if arguments.cpu else "wall",
        "figures": figures,
    }
    write_result("versions", arguments, result)


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        serve(*sys.argv[2:])
    else:
        main()
