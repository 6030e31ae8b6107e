"""Tokens per second in all, of many sequences at once: foretell beside llama.cpp and transformers.

    python -m benchmarks.speed.throughput MODEL.gguf --threads 2 --rounds 5

At 1, 2, 4, ... sequences each engine continues as many distinct prompts of 16 tokens by 128 tokens,
greedily, end-of-sequence not minded. A round takes every number of sequences with every engine in
turn. The figure is tokens generated over the wall clock of the whole call, prefill included.

llama.cpp is its HTTP server with as many slots as there are sequences and continuous batching, all
requests sent at once by threads. Of the settings in LLAMA_CPP_SETTINGS it runs with those that are
fastest here; all have its own batch sizes (2,048 and 512), no prompt cache, and as many threads as
the others. transformers' `generate` gets the prompts as one batch, without padding, in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack
from typing import Any

from benchmarks.common.chart import save_chart
from benchmarks.common.harness import RESULTS, Peer, options, show, spread, verdict, write_result
from benchmarks.common.texts import prose

PAUSE = 0.3  # seconds between turns, in which the other engines' threads go to sleep
STRIDE = 5  # tokens from the start of one prompt to that of the next
ENGINES = ("foretell", "llama.cpp", "transformers")
PICTURE = RESULTS / "throughput.svg"

NO_STORE = {"cache_ram_mib": 0, "cache_idle_slots": False}  # no copies of prompts between requests
LLAMA_CPP_SETTINGS: tuple[dict[str, Any], ...] = (
    NO_STORE,
    {**NO_STORE, "flash_attn_type": "DISABLED"},
    {**NO_STORE, "kv_unified": True},
    {**NO_STORE, "kv_unified": True, "flash_attn_type": "DISABLED"},
)

Figures = dict[str, float]


class Prompts:
    """Prompts of one length that differ, cut from a text; no two calls give the same ones."""

    def __init__(self, ids: list[int], length: int) -> None:
        self._ids = ids
        self._length = length
        self._start = 0

    def take(self, count: int) -> list[list[int]]:
        """The next `count` prompts; from the text's beginning again once it has ended."""
        prompts = []
        for _ in range(count):
            if self._start + self._length > len(self._ids):
                self._start = self._start % STRIDE + 1
            prompts.append(self._ids[self._start : self._start + self._length])
            self._start += STRIDE
        return prompts


def turn(peer: Peer, prompts: list[list[int]], tokens: int) -> Figures:
    """Tokens per second in all, by the wall clock; also without prefill, where reported."""
    time.sleep(PAUSE)
    reply = peer.ask("generate_many", prompts=prompts, max_new_tokens=tokens)
    lengths = [len(ids) for ids in reply["ids"]]
    if lengths != [tokens] * len(prompts):
        raise SystemExit(f"{peer.name} gave {lengths} tokens, not {tokens} to each")
    figures = {"total": len(prompts) * tokens / reply["wall_seconds"]}
    if "decode_tokens_per_second" in reply:
        figures["decode"] = reply["decode_tokens_per_second"]
    return figures


def llama_cpp(arguments: argparse.Namespace, slots: int, settings: dict[str, Any]) -> Peer:
    """A server of its own for this number of sequences."""
    common = (arguments.model, arguments.threads, slots, json.dumps(settings))
    return Peer("llama_cpp", *common)


def choose_settings(arguments: argparse.Namespace, prompts: Prompts) -> list[dict[str, Any]]:
    """llama.cpp's speeds at 8 sequences in each of its settings, that of the fastest run first."""
    count = min(8, max(arguments.sequences))
    trials = []
    with ExitStack() as stack:
        peers = [
            stack.enter_context(llama_cpp(arguments, count, settings))
            for settings in LLAMA_CPP_SETTINGS
        ]
        speeds: list[list[float]] = [[] for _ in peers]
        for _ in range(arguments.setting_rounds + 1):
            for peer, found in zip(peers, speeds, strict=True):
                found.append(turn(peer, prompts.take(count), arguments.tokens)["total"])
    for settings, found in zip(LLAMA_CPP_SETTINGS, speeds, strict=True):
        trials.append({"settings": settings, "total": spread(found[1:])})  # the first warms up
        show(f"llama.cpp {json.dumps(settings)}", trials[-1]["total"], "tokens/s")
    return sorted(trials, key=lambda trial: -trial["total"]["max"])


class Engines:
    """Every engine in its own process; llama.cpp in one for each number of sequences."""

    def __init__(self, stack: ExitStack, arguments: argparse.Namespace) -> None:
        self._stack = stack
        common = (arguments.model, arguments.threads)
        tokenizer = stack.enter_context(llama_cpp(arguments, 1, NO_STORE))
        text = tokenizer.ask("tokenize", text=prose().text)["ids"]
        self.prompts = Prompts(text, arguments.prompt_tokens)
        self.trials: list[dict[str, Any]] = []
        self._peers: dict[str, dict[int, Peer]] = {}
        if "foretell" not in arguments.skip:
            python = arguments.foretell_python
            self._add("foretell", Peer("foretell_native", *common, python=python), arguments)
        if "llama.cpp" not in arguments.skip:
            self.trials = choose_settings(arguments, self.prompts)
            best = self.trials[0]["settings"]
            self._peers["llama.cpp"] = {
                count: stack.enter_context(llama_cpp(arguments, count, best))
                for count in arguments.sequences
            }
        if "transformers" not in arguments.skip:
            dtype = arguments.transformers_dtype
            self._add("transformers", Peer("transformers_generate", *common, dtype), arguments)

    def _add(self, name: str, peer: Peer, arguments: argparse.Namespace) -> None:
        self._stack.enter_context(peer)
        self._peers[name] = dict.fromkeys(arguments.sequences, peer)

    def info(self) -> dict[str, Any]:
        """What each engine says of itself."""
        return {name: next(iter(peers.values())).ask("info") for name, peers in self._peers.items()}

    def round(self, counts: list[int], tokens: int) -> dict[int, dict[str, Figures]]:
        """Every number of sequences, with every engine in turn."""
        return {
            count: {
                name: turn(peers[count], self.prompts.take(count), tokens)
                for name, peers in self._peers.items()
            }
            for count in counts
        }


def summarize(rounds: list[dict[int, dict[str, Figures]]]) -> dict[str, Any]:
    """Spreads by number of sequences, engine and figure."""
    return {
        str(count): {
            name: {figure: spread([one[count][name][figure] for one in rounds]) for figure in first}
            for name, first in engines.items()
        }
        for count, engines in rounds[0].items()
    }


def ratios(rounds: list[dict[int, dict[str, Figures]]]) -> list[dict[str, Any]]:
    """The ratios that are asked for, round by round, of what was measured."""

    def total(one: dict[int, dict[str, Figures]], name: str, count: int) -> float | None:
        return one.get(count, {}).get(name, {}).get("total")

    asked = (
        ("8 sequences over its own single stream", 3, ("foretell", 8), ("foretell", 1)),
        ("over llama.cpp at 8 sequences", 4, ("foretell", 8), ("llama.cpp", 8)),
        ("over llama.cpp at 32 sequences", None, ("foretell", 32), ("llama.cpp", 32)),
        ("over transformers at 32 sequences", 5, ("foretell", 32), ("transformers", 32)),
    )
    found = []
    for name, least, above, below in asked:
        pairs = [(total(one, *above), total(one, *below)) for one in rounds]
        values = [high / low for high, low in pairs if high and low]
        if values:
            found.append(verdict(name, spread(values), least=least))
    return found


def report(result: dict[str, Any]) -> None:
    """The figures, for people."""
    for count, engines in result["sequences"].items():
        for name, figures in engines.items():
            show(f"{count:>2} sequences: {name}", figures["total"], "tokens/s")
    for ratio in result["ratios"]:
        show(ratio["name"], ratio, "×")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the engines, take turns, and gather everything."""
    with ExitStack() as stack:
        engines = Engines(stack, arguments)
        engines.round(arguments.sequences, min(8, arguments.tokens))  # warm up
        rounds = [
            engines.round(arguments.sequences, arguments.tokens) for _ in range(arguments.rounds)
        ]
        return {
            "engines": engines.info(),
            "tokens": arguments.tokens,
            "prompt_tokens": arguments.prompt_tokens,
            "llama_cpp_settings_tried": engines.trials,
            "sequences": summarize(rounds),
            "ratios": ratios(rounds),
        }


def main() -> None:
    """Measure, show, write and draw."""
    parser = options("tokens per second of many sequences at once, foretell and its peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--setting-rounds", type=int, default=3, help="to choose llama.cpp's")
    parser.add_argument("--tokens", type=int, default=128, help="that each sequence generates")
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--skip", action="append", choices=ENGINES, default=[])
    parser.add_argument("--transformers-dtype", choices=("bfloat16", "float32"), default="bfloat16")
    arguments = parser.parse_args()
    result = measure(arguments)
    report(result)
    path = write_result("throughput", arguments, result)
    save_chart(path, path.with_suffix(".svg") if arguments.output else PICTURE)


if __name__ == "__main__":
    main()
