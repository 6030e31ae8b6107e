"""How much faster texts come with speculation: side by side with it off, in turns.

    .venv/bin/python -m benchmarks.speed.speculation MODEL.gguf --threads 2

A text of 300 tokens is edited and summed up, questions are answered, and text comes that cannot be
guessed (temperature 1.5); each greedily and at two temperatures, alone; then eight chats at once.
Two LLMs of one model take turns, so that both are slowed by whatever else runs, and must write the
same. A ratio is the seconds without over the seconds with, from a text's first token to its last.
Small models repeat themselves, which flatters. With `--cpu --threads 1` the clock is the CPU time
of the process, which other programs hardly change.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common.harness import options, show, spread, verdict, write_result
from foretell import LLM
from foretell.text.chat.prompt import chat_prompt

TEXT = (
    "The library on Mill Street opened in 1911, when the town had two thousand people and one "
    "paved road. It was built of yellow brick by a firm from the coast, and the first books came "
    "by train in wooden boxes. For sixty years a single librarian, Miss Harper, kept the catalogue "
    "in her own hand. She knew most readers by name, and lent her own books to those who had read "
    "everything else. In 1957 the river rose and the cellar filled with water; children carried "
    "the newspapers up to the attic and dried them page by page. When Miss Harper retired, the "
    "council wanted to sell the building, but four hundred people signed a letter, and it stayed. "
    "A new wing was added in 1984, with a room for maps and a room for music. Computers came ten "
    "years later and stand where the card catalogue once stood. Today the library has eighty "
    "thousand books, three librarians and a cat. On Saturdays there is a queue before the doors "
    "open, and on winter evenings the lamps in the reading room can be seen from the bridge. The "
    "yellow brick has turned grey, and the clock over the door is four minutes slow, but nobody "
    "has ever asked for it to be put right."
)
TASKS: dict[str, tuple[str, ...]] = {
    "edit": (
        f"Give back this text, with every 'Miss Harper' changed to 'Mrs Cole':\n\n{TEXT}",
        f"Correct the spelling of this text and give back the whole of it:\n\n{TEXT}",
    ),
    "summary": (
        f"Sum up this text in five sentences, in its own words:\n\n{TEXT}",
        f"List the most important facts of this text:\n\n{TEXT}",
    ),
    "chat": (
        "Why is the sky blue?",
        "How do I make a good cup of tea?",
        "What should a visitor see in Rome?",
        "Explain what a prime number is to a child.",
        "Write a short story about a lighthouse.",
    ),
    "unguessable": (
        "Write twenty unusual words.",
        "Invent a language.",
    ),
}
TEMPERATURES: dict[str, tuple[float | None, ...]] = {
    "edit": (None, 0.7, 1.0),
    "summary": (None, 0.7, 1.0),
    "chat": (None, 0.7, 1.0),
    "unguessable": (1.5,),
}
ASKED = {"edit": 1.7, "summary": 1.5, "chat": 1.1, "unguessable": 0.97}  # of greedy, or the only
STREAMS, ASKED_OF_STREAMS = 8, 0.98


def chat(text: str) -> list[dict[str, str]]:
    """One question."""
    return [{"role": "user", "content": text}]


def settings_of(temperature: float | None, seed: int, tokens: int) -> dict[str, Any]:
    """What a text is generated with."""
    sampling = {} if temperature is None else {"temperature": temperature, "seed": seed}
    return {"max_new_tokens": tokens, "ignore_eos": temperature == 1.5, **sampling}


def alone(
    llm: LLM, prompt: str, settings: dict[str, Any], clock: Callable[[], float]
) -> tuple[float, list[int], Any]:
    """Seconds from the first token to the last, the ids written, and the usage."""
    chunks = llm.stream([chat_prompt(llm.tokenizer, chat(prompt))], **settings)
    next(chunks)
    start = clock()
    *_, last = chunks
    output = last.require_output()
    return clock() - start, output.token_ids, output.usage


def measure_task(
    llms: tuple[LLM, LLM], task: str, temperature: float | None, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The ratio of a task, round by round, and what was guessed."""
    ratios, drafted, accepted, written = [], 0, 0, 0
    for number in range(arguments.rounds + 1):
        seconds = [0.0, 0.0]
        for prompt in TASKS[task]:
            settings = settings_of(temperature, number, arguments.tokens)
            runs = [alone(llm, prompt, settings, arguments.clock) for llm in llms]
            if runs[0][1] != runs[1][1]:
                raise SystemExit(f"{task}: {prompt[:40]!r} is answered otherwise with speculation")
            if number:
                seconds = [total + run[0] for total, run in zip(seconds, runs, strict=True)]
                drafted += runs[1][2].draft_tokens
                accepted += runs[1][2].accepted_tokens
                written += len(runs[1][1])
        if number:  # the first warms up
            ratios.append(seconds[0] / seconds[1])
    is_first = temperature == TEMPERATURES[task][0]
    least = ASKED[task] if is_first else 0.97
    return {
        "task": task,
        "temperature": temperature,
        "ratio": verdict(f"{task} at {temperature or 'greedy'}", spread(ratios), least=least),
        "draft_tokens": drafted,
        "accepted_tokens": accepted,
        "completion_tokens": written,
    }


def measure_streams(llms: tuple[LLM, LLM], arguments: argparse.Namespace) -> dict[str, Any]:
    """Chats at once: the ratio of the seconds until all have ended."""
    prompts = (TASKS["chat"] * STREAMS)[:STREAMS]
    ratios = []
    for number in range(arguments.rounds + 1):
        seconds = []
        for llm in llms:
            rendered = [chat_prompt(llm.tokenizer, chat(one)) for one in prompts]
            start = arguments.clock()
            llm.generate(
                rendered,
                progress=False,
                max_new_tokens=arguments.tokens,
                ignore_eos=True,
                temperature=0.7,
                seed=number,
            )
            seconds.append(arguments.clock() - start)
        if number:
            ratios.append(seconds[0] / seconds[1])
    name = f"{STREAMS} chats at once"
    return verdict(name, spread(ratios), least=ASKED_OF_STREAMS)


def main() -> None:
    """Measure, print and write the result."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("--rounds", type=int, default=5, help="that count (default 5)")
    parser.add_argument(
        "--tokens", type=int, default=200, help="of an answer at most (default 200)"
    )
    parser.add_argument("--cpu", action="store_true", help="measure CPU time; with --threads 1")
    arguments = parser.parse_args()
    arguments.clock = time.process_time if arguments.cpu else time.perf_counter
    with (
        LLM(arguments.model, threads=arguments.threads, speculation=None) as off,
        LLM(arguments.model, threads=arguments.threads, speculation="lookup") as on,
    ):
        tasks = []
        for task, temperatures in TEMPERATURES.items():
            for temperature in temperatures:
                found = measure_task((off, on), task, temperature, arguments)
                tasks.append(found)
                show(found["ratio"]["name"], found["ratio"], "×")
                drafted, accepted = found["draft_tokens"], found["accepted_tokens"]
                print(
                    f"    {accepted} of {drafted} drafts right, {found['completion_tokens']} tokens"
                )
        streams = measure_streams((off, on), arguments)
        show(streams["name"], streams, "×")
        result = {"description": off.info.description, "tasks": tasks, "streams": streams}
    del arguments.clock
    write_result("speculation", arguments, result)


if __name__ == "__main__":
    main()
