"""How long running streams stall when a long prompt arrives.

    .venv/bin/python -m benchmarks.speed.stalls MODEL.gguf --threads 2

Eight streams write, greedily, through one `AsyncLLM`. Once each has written for a while, a prompt
of 4,000 tokens arrives; it is measured until its first token, and the streams write on a little.
Each chunk's moment is taken where the consumer reads it. A gap belongs to "during" if any of it
lies between the long prompt's arrival and its first token.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from contextlib import aclosing
from itertools import pairwise
from typing import Any

from benchmarks.common.harness import options, show, spread, verdict, write_result
from benchmarks.common.texts import prose, python_source
from foretell import AsyncLLM

ASKED = 4  # longest gap over the stream's median gap, below this
MAX_NEW_TOKENS = 1500  # more than any stream comes to write

Gap = tuple[float, float]  # from when, till when


class Streams:
    """Streams that write until they are stopped, and when each token came."""

    def __init__(self, llm: AsyncLLM, prompts: list[list[int]]) -> None:
        self.moments: list[list[float]] = [[] for _ in prompts]
        self._is_over = False
        self._tasks = [
            asyncio.create_task(self._follow(llm, prompt, moments))
            for prompt, moments in zip(prompts, self.moments, strict=True)
        ]

    async def _follow(self, llm: AsyncLLM, prompt: list[int], moments: list[float]) -> None:
        stream = llm.stream(prompt, max_new_tokens=MAX_NEW_TOKENS, ignore_eos=True)
        async with aclosing(stream):
            async for _ in stream:
                moments.append(time.perf_counter())
                if self._is_over:
                    return
        raise SystemExit(f"a stream ended after {MAX_NEW_TOKENS} tokens, before the long prompt")

    async def write(self, count: int) -> None:
        """Let every stream write this number of tokens more."""
        goals = [len(moments) + count for moments in self.moments]
        while any(len(one) < least for one, least in zip(self.moments, goals, strict=True)):
            await asyncio.sleep(0.02)
            for task in self._tasks:
                if task.done():
                    task.result()

    async def stop(self) -> None:
        """End all streams."""
        self._is_over = True
        await asyncio.gather(*self._tasks)

    def gaps(self) -> list[list[Gap]]:
        """Each stream's gaps between tokens."""
        return [list(pairwise(one)) for one in self.moments]


async def arrive(llm: AsyncLLM, prompt: str) -> dict[str, Any]:
    """Send the long prompt: when, when its first token came, and how long it is."""
    start = time.perf_counter()
    async for chunk in llm.stream(prompt, max_new_tokens=1):
        last = chunk
    stop = time.perf_counter()
    return {
        "start": start,
        "stop": stop,
        "prompt_tokens": last.require_output().usage.prompt_tokens,
    }


def figures(gaps: list[Gap], start: float, stop: float) -> dict[str, float]:
    """One stream's gaps: medians before and during, and the longest during, over these."""

    def lengths(chosen: list[Gap]) -> list[float]:
        return [until - since for since, until in chosen]

    before = lengths([gap for gap in gaps if gap[1] <= start])
    during = lengths([gap for gap in gaps if gap[1] > start and gap[0] < stop])
    found = {
        "median_before": statistics.median(before),
        "longest_before": max(before),
        "median_during": statistics.median(during),
        "longest_during": max(during),
    }
    found["longest_over_median_before"] = max(during) / found["median_before"]
    found["longest_over_median"] = max(during) / statistics.median(lengths(gaps))
    return found


async def measure_round(
    llm: AsyncLLM, number: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """One arrival: each figure is that of the stream that fared worst."""
    ids = llm.tokenizer.encode(f"Round {number}. {python_source().text}{prose().text}")
    prompts = [[*ids[:4], *ids[100 * number : 100 * number + 12]] for number in range(8)]
    prompts = (prompts * arguments.streams)[: arguments.streams]
    streams = Streams(llm, prompts)
    await streams.write(arguments.before)
    long = await arrive(llm, llm.tokenizer.decode(ids[: arguments.prompt_tokens]))
    await streams.write(arguments.after)
    await streams.stop()
    each = [figures(gaps, long["start"], long["stop"]) for gaps in streams.gaps()]
    return {
        "prompt_tokens": long["prompt_tokens"],
        "time_to_first_token": long["stop"] - long["start"],
        **{name: max(one[name] for one in each) for name in each[0]},
    }


def summarize(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Spreads over the rounds."""
    found = {
        name: spread([one[name] for one in rounds]) for name in rounds[0] if name != "prompt_tokens"
    }
    for name in ("longest_over_median_before", "longest_over_median"):
        found[name] = verdict(name, found[name], most=ASKED)
    return found


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load, warm up and take the rounds."""
    async with AsyncLLM(arguments.model, threads=arguments.threads, speculation=None) as llm:
        await llm.generate("Good morning", max_new_tokens=16)
        rounds = [await measure_round(llm, number, arguments) for number in range(arguments.rounds)]
        return {
            "description": llm.info.description,
            "streams": arguments.streams,
            "prompt_tokens": rounds[0]["prompt_tokens"],
            "worst_stream": summarize(rounds),
        }


def report(result: dict[str, Any]) -> None:
    """The figures, for people."""
    print(f"{result['streams']} streams, then a prompt of {result['prompt_tokens']} tokens")
    for name, found in result["worst_stream"].items():
        show(name.replace("_", " "), found, "×" if "over" in name else "s")


def main() -> None:
    """Measure, show and write."""
    parser = options("gaps in running streams while a long prompt is read", has_peers=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=4000)
    parser.add_argument("--before", type=int, default=100, help="tokens of each stream before it")
    parser.add_argument("--after", type=int, default=30, help="tokens of each stream after it")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments))
    report(result)
    write_result("stalls", arguments, result)


if __name__ == "__main__":
    main()
