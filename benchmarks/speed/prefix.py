"""How soon an answer begins where many requests share one long system prompt.

    .venv/bin/python -m benchmarks.speed.prefix MODEL.gguf --threads 2

Each round has a system prompt of its own, 2,000 tokens long, and 20 questions about it, streamed as
chats through `AsyncLLM`: one after another; then, with another system prompt, the first alone and
the others all at once. The time to the first token is that from the call to the first chunk:
template, tokenizing and waiting for the others included. An unrelated chat has warmed everything
up.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import Any

from benchmarks.common.harness import options, show, spread, verdict, write_result
from benchmarks.common.texts import PROSE_TOPICS, prose
from foretell import AsyncLLM

ASKED = 0.10  # of the first's time to first token


def conversations(text: str, count: int) -> list[list[dict[str, str]]]:
    """Chats that share a system prompt, each with a question of its own."""
    return [
        [
            {"role": "system", "content": text},
            {"role": "user", "content": f"{number}: what of {topic}?"},
        ]
        for number, topic in enumerate((PROSE_TOPICS * (count // len(PROSE_TOPICS) + 1))[:count], 1)
    ]


class SystemPrompts:
    """Texts of a number of tokens, none of which begins like another."""

    def __init__(self, llm: AsyncLLM, num_tokens: int) -> None:
        self._llm = llm
        self._num_tokens = num_tokens
        self._ids = llm.tokenizer.encode(prose().text)
        self._num_given = 0

    def take(self) -> str:
        """Another one."""
        self._num_given += 1
        start = self._llm.tokenizer.encode(f"Manual number {self._num_given}. ")
        return self._llm.tokenizer.decode((start + self._ids)[: self._num_tokens])


async def first_token(llm: AsyncLLM, chat: list[dict[str, str]], tokens: int) -> dict[str, Any]:
    """Read an answer to its end: seconds to its first chunk, and the prompt's length."""
    start = time.perf_counter()
    seconds = None
    async for chunk in llm.stream_chat(chat, max_new_tokens=tokens, ignore_eos=True):
        seconds = seconds or time.perf_counter() - start
        last = chunk
    return {"seconds": seconds, "prompt_tokens": last.require_output().usage.prompt_tokens}


async def measure_round(
    llm: AsyncLLM, prompts: SystemPrompts, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Both ways of asking, each with a system prompt that was never seen."""
    chats = conversations(prompts.take(), arguments.requests)
    in_turn = [await first_token(llm, chat, arguments.tokens) for chat in chats]
    chats = conversations(prompts.take(), arguments.requests)
    first = await first_token(llm, chats[0], arguments.tokens)
    others = [first_token(llm, chat, arguments.tokens) for chat in chats[1:]]
    at_once = [first, *await asyncio.gather(*others)]
    return {
        "prompt_tokens": in_turn[0]["prompt_tokens"],
        "one_after_another": [one["seconds"] for one in in_turn],
        "at_once": [one["seconds"] for one in at_once],
    }


def summarize(rounds: list[dict[str, Any]], way: str) -> dict[str, Any]:
    """The first request, the second, all later ones, and the later ones' share of the first."""
    runs = [one[way] for one in rounds]
    middle = [statistics.median(run[1:]) / run[0] for run in runs]
    slowest = [max(run[1:]) / run[0] for run in runs]
    return {
        "first_seconds": spread([run[0] for run in runs]),
        "second_seconds": spread([run[1] for run in runs]),
        "later_seconds": spread([seconds for run in runs for seconds in run[1:]]),
        "second_over_first": spread([run[1] / run[0] for run in runs]),
        "later_over_first": verdict("median later over first", spread(middle), most=ASKED),
        "slowest_over_first": spread(slowest),
    }


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load, warm up and take the rounds."""
    async with AsyncLLM(arguments.model, threads=arguments.threads) as llm:
        prompts = SystemPrompts(llm, arguments.system_tokens)
        await first_token(llm, [{"role": "user", "content": "Good morning"}], arguments.tokens)
        rounds = [await measure_round(llm, prompts, arguments) for _ in range(arguments.rounds)]
        stats = await llm.stats()
        return {
            "description": llm.info.description,
            "requests": arguments.requests,
            "prompt_tokens": rounds[0]["prompt_tokens"],
            "tokens": arguments.tokens,
            "hit_rate": stats.hit_rate,
            "one_after_another": summarize(rounds, "one_after_another"),
            "at_once": summarize(rounds, "at_once"),
        }


def report(result: dict[str, Any]) -> None:
    """The figures, for people."""
    print(f"prompts of {result['prompt_tokens']} tokens, {result['hit_rate']:.1%} found in cache")
    for way in ("one_after_another", "at_once"):
        for name, figures in result[way].items():
            unit = "s" if name.endswith("seconds") else "×"
            show(f"{way.replace('_', ' ')}: {name.replace('_', ' ')}", figures, unit)


def main() -> None:
    """Measure, show and write."""
    parser = options("time to first token with a shared system prompt", has_peers=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--system-tokens", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=16, help="of each answer")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments))
    report(result)
    write_result("prefix", arguments, result)


if __name__ == "__main__":
    main()
