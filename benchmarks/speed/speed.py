"""foretell beside llama.cpp on one GGUF file, in turns, in one run.

    python -m benchmarks.speed.speed MODEL.gguf --threads 2 --rounds 7

Greedy decoding of 128 tokens from a short prompt, prefill of 512 tokens, seconds from the
shell prompt to the first byte of text, and peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.common.harness import Peer, options, show, spread, write_result
from benchmarks.common.texts import SHORT_PROMPT, python_source

PAUSE = 0.3  # seconds between turns, in which the other engine's threads go to sleep


def decode(peers: dict[str, Peer], prompt: list[int], tokens: int) -> dict[str, float]:
    """One turn each: tokens decoded per second as each engine itself reports them."""
    speeds = {}
    for name, peer in peers.items():
        time.sleep(PAUSE)
        reply = peer.ask("generate", ids=prompt, max_new_tokens=tokens)
        if len(reply["ids"]) != tokens:
            raise SystemExit(f"{name} gave {len(reply['ids'])} tokens, not {tokens}")
        speeds[name] = reply["decode_tokens_per_second"]
        speeds[f"{name} (wall)"] = tokens / reply["wall_seconds"]
    return speeds


def prefill(peers: dict[str, Peer], prompt: list[int]) -> dict[str, float]:
    """One turn each: prompt tokens per second."""
    speeds = {}
    for name, peer in peers.items():
        time.sleep(PAUSE)
        reply = peer.ask("generate", ids=prompt, max_new_tokens=1)
        speeds[name] = reply["prefill_tokens_per_second"]
    return speeds


def summarize(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Each engine's spread, and that of foretell's speed over llama.cpp's, round by round."""
    summary = {name: spread([turn[name] for turn in rounds]) for name in rounds[0]}
    summary["ratio"] = spread([turn["foretell"] / turn["llama.cpp"] for turn in rounds])
    return summary


def first_byte(arguments: argparse.Namespace) -> tuple[float, int]:
    """Run `foretell generate`: seconds until its first byte of text, and its peak memory."""
    command = [arguments.foretell_python, "-m", "foretell", "generate", SHORT_PROMPT]
    command += ["--model", str(arguments.model), "--max-new-tokens", "64"]
    # An installation has its bytecode; a checkout may be told to write none.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert process.stdout
    os.read(process.stdout.fileno(), 1)
    seconds = time.perf_counter() - start
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def processes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time to first text and peak memory of whole processes, the model in the page cache."""
    runs = [first_byte(arguments) for _ in range(arguments.rounds)]
    size = arguments.model.stat().st_size
    memory = max(peak for _, peak in runs)
    return {
        "shell_to_first_text_seconds": spread([seconds for seconds, _ in runs]),
        "peak_memory_bytes": memory,
        "model_bytes": size,
        "peak_memory_over_model": memory / size,
    }


def report(result: dict[str, Any]) -> None:
    """The figures, for people."""
    for kind in ("decode", "prefill"):
        for name, figures in result[kind].items():
            show(f"{kind}: {name}", figures, "×" if name == "ratio" else "tokens/s")
    show("shell to first text", result["process"]["shell_to_first_text_seconds"], "s")
    memory, size = result["process"]["peak_memory_bytes"], result["process"]["model_bytes"]
    print(f"peak memory {memory / 1e6:.0f} MB, model file {size / 1e6:.0f} MB")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the engines, take turns, and gather everything."""
    model, threads = arguments.model, arguments.threads
    with (
        Peer("foretell_native", model, threads, python=arguments.foretell_python) as foretell,
        Peer("llama_cpp", model, threads) as llama_cpp,
    ):
        peers = {"foretell": foretell, "llama.cpp": llama_cpp}
        engines = {name: peer.ask("info") for name, peer in peers.items()}
        short = llama_cpp.ask("tokenize", text=SHORT_PROMPT)["ids"]
        source = llama_cpp.ask("tokenize", text=python_source().text)["ids"]
        num_long = arguments.prompt_tokens
        decode(peers, short, arguments.tokens)  # warm up
        decoded = [decode(peers, short, arguments.tokens) for _ in range(arguments.rounds)]
        # Each round has another text: foretell would find a prompt that it has seen in its cache.
        prefilled = [
            prefill(peers, source[start : start + num_long]) for start in range(arguments.rounds)
        ]
        memory = {name: peer.ask("peak_memory")["bytes"] for name, peer in peers.items()}
    return {
        "engines": engines,
        "tokens": arguments.tokens,
        "prompt_tokens": num_long,
        "decode": summarize(decoded),
        "prefill": summarize(prefilled),
        "peer_peak_memory_bytes": memory,
        "process": processes(arguments),
    }


def main() -> None:
    """Measure, show and write."""
    parser = options("foretell beside llama.cpp: speed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt-tokens", type=int, default=512, help="for prefill")
    arguments = parser.parse_args()
    result = measure(arguments)
    report(result)
    write_result("speed", arguments, result)


if __name__ == "__main__":
    main()
