"""One LLM, many Python threads: each gets what it would get alone, bit for bit.

    .venv/bin/python -m benchmarks.stress.threads smollm2-135m-instruct --readers 8 --requests 200

The requests are those of benchmarks/oracles/seeded_texts.py: every sampler, penalty, mask, length,
stop, dialect, guidance, several samples and beams. They run one after another first. Then each
reader, a thread, runs all of them in an order of its own, by `generate` or by `stream`. Counted are
the answers that differ from those before; there must be none. With `--seconds` the readers stop
after so long: under a sanitizer all is slow.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.oracles.seeded_texts import PROMPTS, Settings, exact, make_requests, sha256
from foretell import LLM, ForetellError, GenerationOutput

Asked = tuple[int, Settings]
"""A prompt's index, and settings."""


def ask(llm: LLM, asked: Asked, *, streams: bool) -> str:
    """A hash of the answer, or the error; nothing of how long it took or what was in the cache."""
    index, settings = asked
    try:
        if streams:
            last = [chunk.output for chunk in llm.stream(PROMPTS[index], **settings)]
            outputs = [output for output in last if output is not None]
        else:
            answer: Any = llm.generate(PROMPTS[index], **settings)
            outputs = answer if isinstance(answer, list) else [answer]
    except ForetellError as error:
        return f"{type(error).__name__}: {error}"
    outputs.sort(key=lambda output: (output.prompt, output.index))
    return sha256([_content(output) for output in outputs])


def _content(output: GenerationOutput) -> Any:
    return exact({name: part for name, part in output.to_dict().items() if name != "usage"})


def read(
    llm: LLM, requests: Sequence[Asked], expected: Sequence[str], seed: int, deadline: float
) -> tuple[int, list[int]]:
    """One reader's run: how many it asked, and the numbers of those answered otherwise."""
    rng = random.Random(seed)
    order = rng.sample(range(len(requests)), len(requests))
    wrong: list[int] = []
    for count, number in enumerate(order):
        if time.monotonic() > deadline:
            return count, wrong
        if ask(llm, requests[number], streams=rng.random() < 0.5) != expected[number]:
            wrong.append(number)
    return len(order), wrong


def main() -> None:
    """Run alone, then in threads; exit code 1 if an answer differs."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name or path")
    parser.add_argument("--readers", type=int, default=8, help="threads (default 8)")
    parser.add_argument("--requests", type=int, default=200, help="of each reader (default 200)")
    parser.add_argument("--seed", type=int, default=11, help="of the requests (default 11)")
    parser.add_argument("--threads", type=int, help="that compute (default: all cores)")
    parser.add_argument("--seconds", type=float, default=1e9, help="for the readers together")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    made = make_requests(arguments.requests, arguments.seed)
    requests = [(index, settings) for index, settings, _ in made]
    with LLM(arguments.model, threads=arguments.threads) as llm:
        start = time.monotonic()
        expected = [ask(llm, asked, streams=False) for asked in requests]
        alone = time.monotonic() - start
        start = time.monotonic()
        with ThreadPoolExecutor(arguments.readers) as pool:
            runs = [
                pool.submit(read, llm, requests, expected, seed, start + arguments.seconds)
                for seed in range(arguments.readers)
            ]
            found = [run.result() for run in runs]
        together = time.monotonic() - start
        stats = llm.stats()
    asked_in_all = sum(count for count, _ in found)
    wrong = sorted({number for _, numbers in found for number in numbers})
    print(
        f"{len(requests)} requests alone in {alone:.0f} s; {asked_in_all} by {arguments.readers} "
        f"threads in {together:.0f} s: {sum(len(numbers) for _, numbers in found)} differ; "
        f"{stats.free_blocks} of {stats.num_blocks} KV blocks are free"
    )
    for number in wrong:
        print(f"  request {number}: {made[number][2]}")
    sys.exit(bool(wrong) or stats.free_blocks != stats.num_blocks)


if __name__ == "__main__":
    main()
