"""Speculation by lookup beside llama.cpp's own, on one model, greedily, in turns.

    .venv/bin/python -m benchmarks.speed.peer_speculation MODEL.gguf --peer-python PYTHON

The tasks are those of `benchmarks.speed.speculation`. Each way of llama.cpp's server that needs no
second model (`--ways`) has a server of its own, beside one without; foretell has two LLMs. All take
turns, text by text, and those that wait are stopped. A ratio is a task's tokens a second over those
of the same engine without; the tokens a second themselves are shown beside it.
"""

from __future__ import annotations

import json
import time
from typing import Any

from benchmarks.common.harness import Peer, options, spread, write_result
from benchmarks.speed.speculation import TASKS, chat
from foretell import LLM
from foretell.text.chat.prompt import chat_prompt

WAYS = ("ngram_simple", "ngram_map_k", "ngram_map_k4v", "ngram_mod", "ngram_cache")
OFF, LOOKUP = "off", "lookup"
Rates = dict[tuple[str, str], list[float]]  # tokens a second, by engine and way, a round each


def foretell_rate(llm: LLM, ids: list[int], tokens: int) -> float:
    """Tokens a second of a text, from the first to the last."""
    chunks = llm.stream(
        [ids], max_new_tokens=tokens, ignore_eos=True, do_sample=False, repetition_penalty=1.0
    )
    next(chunks)
    start = time.perf_counter()
    *_, last = chunks
    return (len(last.require_output().token_ids) - 1) / (time.perf_counter() - start)


def peer_rate(peer: Peer, ids: list[int], tokens: int) -> float:
    """The same of a server, by its own clock."""
    peer.resume()
    rate = peer.ask("generate", ids=ids, max_new_tokens=tokens)["decode_tokens_per_second"]
    peer.pause()
    return float(rate)


def mean_rate(rates: list[float]) -> float:
    """Of texts of one length: their tokens over their seconds."""
    return len(rates) / sum(1 / rate for rate in rates)


def measure_task(
    task: str, llms: dict[str, LLM], peers: dict[str, Peer], rounds: int, tokens: int
) -> Rates:
    """Tokens a second of a task, in each engine and way."""
    found: Rates = {}
    tokenizer = llms[OFF].tokenizer
    prompts = [list(chat_prompt(tokenizer, chat(one))) for one in TASKS[task]]
    for number in range(rounds + 1):
        now: Rates = {}
        for ids in prompts:
            for way, llm in llms.items():
                now.setdefault(("foretell", way), []).append(foretell_rate(llm, ids, tokens))
            for way, peer in peers.items():
                now.setdefault(("llama.cpp", way), []).append(peer_rate(peer, ids, tokens))
        if number:  # the first warms up
            for key, rates in now.items():
                found.setdefault(key, []).append(mean_rate(rates))
    return found


def show_task(task: str, rates: Rates) -> list[dict[str, Any]]:
    """Print a line an engine and way."""
    lines = []
    for (engine, way), own in rates.items():
        ratios = [one / off for one, off in zip(own, rates[engine, OFF], strict=True)]
        rate, ratio = spread(own), spread(ratios)
        print(
            f"{task:12} {engine:10} {way:14} {rate['median']:8.1f} tokens/s "
            f"{ratio['median']:6.2f} × ({ratio['min']:.2f} to {ratio['max']:.2f})",
            flush=True,
        )
        lines.append({"task": task, "engine": engine, "way": way, "rate": rate, "ratio": ratio})
    return lines


def main() -> None:
    """Measure, print and write the result."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("--peer-python", required=True, help="an interpreter that has xllamacpp")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), help="of llama.cpp's server")
    parser.add_argument("--rounds", type=int, default=3, help="that count (default 3)")
    parser.add_argument("--tokens", type=int, default=200, help="of an answer (default 200)")
    arguments = parser.parse_args()
    model, threads = str(arguments.model), arguments.threads
    peers: dict[str, Peer] = {}
    try:
        for way in (OFF, *arguments.ways):
            settings = json.dumps({} if way == OFF else {"speculation": way})
            peers[way] = Peer(
                "llama_cpp", model, threads, 1, settings, python=arguments.peer_python
            )
            peers[way].ask("load")
            peers[way].pause()
        with (
            LLM(model, threads=threads, speculation=None) as off,
            LLM(model, threads=threads, speculation="lookup") as on,
        ):
            lines = []
            for task in TASKS:
                rates = measure_task(
                    task, {OFF: off, LOOKUP: on}, peers, arguments.rounds, arguments.tokens
                )
                lines += show_task(task, rates)
    finally:
        for peer in peers.values():
            peer.__exit__()
    write_result("peer-speculation", arguments, {"tasks": lines})


if __name__ == "__main__":
    main()
