"""The first token after a long prompt: computed at each start, or loaded from a prefix's file.

    .venv/bin/python -m benchmarks.speed.kept_prefix MODEL.gguf --threads 2 --tokens 8000

In turns, each with the model opened anew (which is not counted): the prompt and one token are
computed; the prompt's prefix is saved; it is loaded, and the same token drawn. CPU time stands
beside the clock's, since it is what the work itself costs on a machine that others use too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.harness import options, show, spread, write_result
from benchmarks.common.texts import long_prose
from foretell import LLM

QUESTION = "\n\nIn one word, what is this about?"


def timed(act: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds by the clock, seconds of CPU time, and what was returned."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = act()
    return time.perf_counter() - clock, time.process_time() - cpu, result


def first_token(llm: LLM, prompt: list[int]) -> int:
    """The likeliest token after a prompt."""
    output = llm.generate(prompt, max_new_tokens=1, ignore_eos=True)
    assert not isinstance(output, list)
    return output.token_ids[0]


def forget(path: Path) -> None:
    """Let the system drop a file from memory, so that it is read from the disk."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Measurement:
    """A model, a prompt, and the file of its prefix."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self._open = lambda: LLM(
            arguments.model, threads=arguments.threads, kv_dtype=arguments.kv_dtype
        )
        self._file = folder / "prompt.prefix"
        with self._open() as llm:
            self.description = llm.info.description
            question = llm.tokenizer.encode(QUESTION)
            room = llm.info.context_length - len(question) - 1
            ids = llm.tokenizer.encode(long_prose().text)
            self.prefix = ids[: min(arguments.tokens, room)]
            self._prompt = self.prefix + question
            llm.save_prefix(self._file, self.prefix)
        self.num_bytes = self._file.stat().st_size

    def round(self) -> dict[str, float]:
        """Each way once: seconds."""
        with self._open() as llm:
            clock, cpu, token = timed(lambda: first_token(llm, self._prompt))
            save_clock, save_cpu, _ = timed(lambda: llm.save_prefix(self._file, self.prefix))
        found = {"computed": clock, "computed_cpu": cpu, "save": save_clock, "save_cpu": save_cpu}
        for name in ("loaded", "loaded_from_disk"):
            if name == "loaded_from_disk":
                forget(self._file)
            with self._open() as llm:
                load, load_cpu, _ = timed(lambda: llm.load_prefix(self._file))
                rest, rest_cpu, again = timed(lambda: first_token(llm, self._prompt))
            assert again == token
            found |= {f"{name}_load": load, f"{name}_token": rest, name: load + rest}
            found[f"{name}_cpu"] = load_cpu + rest_cpu
        return found


def main() -> None:
    """Measure, show and write."""
    parser = options("time to the first token after a prefix that was kept", has_peers=False)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=10_000, help="of the prompt, if they fit")
    parser.add_argument("--kv-dtype", default="float16")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measurement = Measurement(arguments, Path(folder))
        rounds = [measurement.round() for _ in range(arguments.rounds)]
    names = ("computed", "save", "loaded_load", "loaded_token", "loaded", "loaded_from_disk")
    result: dict[str, Any] = {
        "description": measurement.description,
        "prompt_tokens": len(measurement.prefix),
        "file_bytes": measurement.num_bytes,
        **{name: spread([one[name] for one in rounds]) for name in rounds[0]},
        "computed_over_loaded": spread([one["computed"] / one["loaded"] for one in rounds]),
        "computed_over_loaded_cpu": spread(
            [one["computed_cpu"] / one["loaded_cpu"] for one in rounds]
        ),
    }
    print(
        f"{result['description']}: {result['prompt_tokens']} tokens, "
        f"{result['file_bytes'] / 1e6:.0f} MB"
    )
    for name in (*names, "computed_cpu", "save_cpu", "loaded_cpu"):
        show(name.replace("_", " "), result[name], "s")
    for name in ("computed_over_loaded", "computed_over_loaded_cpu"):
        show(name.replace("_", " "), result[name], "×")
    write_result("kept-prefix", arguments, result)


if __name__ == "__main__":
    main()
