"""A server's speed: beside the same model in the process, and beside llama.cpp's server.

    .venv/bin/python -m benchmarks.speed.serving MODEL.gguf --peer-python PEERS/bin/python

With 1, 8 and 32 clients, each of which reads a stream of `/v1/completions`: all tokens a second,
and the time to the first text. In turns: `LLM.stream` in this process, `foretell serve`, and, with
`--peer-python` (an interpreter that has xllamacpp), llama.cpp's server with as many slots. Then a
request's own cost: the time to the first byte of text over HTTP, less that in the process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common.harness import Peer, options, show, spread, verdict, write_result
from benchmarks.common.serving import Server
from benchmarks.common.streams import Load, run_streams
from benchmarks.common.texts import prose
from foretell import LLM

CLIENTS = (1, 8, 32)
TOKENS = {1: 512, 8: 256, 32: 128}
PROMPT_TOKENS = 32
OWN_REQUESTS = 100
ASKED_OF_PROCESS = {1: 0.97, 32: 0.95}
ASKED_OF_PEER = {1: 2.5, 8: 4.0, 32: 5.0}
ASKED_OWN_MS = 2.0

Side = Callable[[list[list[int]], int], Load]


def bodies_of(prompts: list[list[int]], tokens: int) -> list[dict[str, Any]]:
    """Greedy requests, of a set length."""
    return [
        {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
        for prompt in prompts
    ]


def in_process(llm: LLM) -> Side:
    """The same work by `LLM.stream`."""

    def run(prompts: list[list[int]], tokens: int) -> Load:
        start, count, first = time.perf_counter(), 0, {}
        for chunk in llm.stream(prompts, max_new_tokens=tokens, temperature=0, ignore_eos=True):
            first.setdefault(chunk.prompt_index, time.perf_counter() - start)
            if chunk.output is not None:
                count += chunk.output.usage.completion_tokens
        seconds = time.perf_counter() - start
        return Load(seconds, count, [first[index] for index in range(len(prompts))])

    return run


def over_http(url: str) -> Side:
    """A server's streams."""
    return lambda prompts, tokens: run_streams(url, bodies_of(prompts, tokens))


def make_prompts(llm: LLM, count: int, turn: int) -> list[list[int]]:
    """Prompts that nobody has seen: the same for all sides of a turn."""
    ids = llm.tokenizer.encode(prose().text)
    places = [(997 * (turn * 64 + index)) % (len(ids) - PROMPT_TOKENS) for index in range(count)]
    return [ids[place : place + PROMPT_TOKENS] for place in places]


def compare(llm: LLM, clients: int, sides: dict[str, Side], rounds: int) -> dict[str, list[Load]]:
    """Run the sides in turns."""
    found: dict[str, list[Load]] = {name: [] for name in sides}
    for side in sides.values():
        side(make_prompts(llm, clients, 0), 8)
    for turn in range(1, rounds + 1):
        prompts = make_prompts(llm, clients, turn)
        for name, side in sides.items():
            found[name].append(side(prompts, TOKENS[clients]))
    return found


def judge(clients: int, found: dict[str, list[Load]]) -> dict[str, Any]:
    """Speeds of the sides, and the server's beside them, round by round."""
    served = found["foretell serve"]
    result: dict[str, Any] = {"clients": clients}
    for name, loads in found.items():
        speeds = spread([load.tokens_per_second for load in loads])
        firsts = spread([1e3 * statistics.median(load.first) for load in loads])
        show(f"{name}, {clients} clients", speeds, "tokens/s")
        show(f"{name}, {clients}: first text", firsts, "ms")
        result[name] = {"tokens_per_second": speeds, "first_ms": firsts}
    for name, asked in (("in the process", ASKED_OF_PROCESS), ("llama.cpp", ASKED_OF_PEER)):
        if name in found:
            ratios = [
                ours.tokens_per_second / theirs.tokens_per_second
                for ours, theirs in zip(served, found[name], strict=True)
            ]
            told = verdict(f"beside {name}", spread(ratios), least=asked.get(clients))
            show(f"{clients} clients, beside {name}", told, "×")
            result[f"beside {name}"] = told
    return result


def own_cost(llm: LLM, url: str) -> dict[str, Any]:
    """Milliseconds to the first text, over HTTP and in the process, and their difference."""
    here = in_process(llm)
    prompt = make_prompts(llm, 1, 0)
    both: list[tuple[float, float]] = []
    for _ in range(OWN_REQUESTS):
        inside = here(prompt, 1).first[0]
        outside = run_streams(url, bodies_of(prompt, 1), pause=0).first[0]
        both.append((1e3 * inside, 1e3 * outside))
    cost = statistics.median(two for _, two in both) - statistics.median(one for one, _ in both)
    told = verdict("own cost", spread([cost]), most=ASKED_OWN_MS)
    show("a request's own cost", told, "ms")
    columns = zip(*both, strict=True)
    inside_ms, outside_ms = (spread(list(column)) for column in columns)
    return {"cost_ms": told, "in_process_ms": inside_ms, "http_ms": outside_ms}


def main() -> None:
    """Measure, and write what was found."""
    parser = options("a server beside its model, and beside llama.cpp's", has_peers=False)
    parser.add_argument("--peer-python", help="an interpreter that has xllamacpp")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with (
        LLM(arguments.model, threads=arguments.threads) as llm,
        Server(arguments.model, "--threads", arguments.threads) as server,
    ):
        found = [_measure(arguments, llm, server, clients) for clients in CLIENTS]
        own = own_cost(llm, server.url)
    result = {"rounds": arguments.rounds, "tokens": TOKENS, "clients": found, "own": own}
    write_result("serving", arguments, result)


def _measure(
    arguments: argparse.Namespace, llm: LLM, server: Server, clients: int
) -> dict[str, Any]:
    sides = {"in the process": in_process(llm), "foretell serve": over_http(server.url)}
    if arguments.peer_python is None:
        return judge(clients, compare(llm, clients, sides, arguments.rounds))
    with Peer(
        "llama_cpp", arguments.model, arguments.threads, clients, python=arguments.peer_python
    ) as peer:
        sides["llama.cpp"] = _woken(peer, over_http(peer.ask("address")["url"]))
        peer.pause()
        return judge(clients, compare(llm, clients, sides, arguments.rounds))


def _woken(peer: Peer, side: Side) -> Side:
    """A peer's turn: it sleeps in those of others, where its threads would wait spinning."""

    def run(prompts: list[list[int]], tokens: int) -> Load:
        peer.resume()
        try:
            return side(prompts, tokens)
        finally:
            peer.pause()

    return run


if __name__ == "__main__":
    main()
