"""How long running streams stall while hostile grammars of others are prepared.

    .venv/bin/python -m benchmarks.speed.form_stalls MODEL.gguf --threads 1

Streams write, greedily, through one `AsyncLLM`. One after another, requests arrive whose forms are
as costly as their users could make them; each is refused, or writes a few tokens. Told are what
became of it, how long that took, and the streams' longest gap between two tokens while it lasted,
over their median gap: with one thread of the engine, the other processor is there for grammars.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from typing import Any

from benchmarks.common.harness import options, write_result
from benchmarks.speed.stalls import Streams
from foretell import AsyncLLM
from foretell.errors import ForetellError

PROMPTS = ("Once upon a time", "The history of the bicycle", "In the north there is a lake")
MANY = 100_000
BIG = 10_000_000  # bytes of a schema


def circle() -> dict[str, Any]:
    """References that lead to one another."""
    links = {f"d{i}": {"$ref": f"#/$defs/d{(i + 1) % 50}"} for i in range(50)}
    return {"$ref": "#/$defs/d0", "$defs": links}


def deep(depth: int) -> dict[str, Any]:
    """Lists within lists."""
    found: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        found = {"type": "array", "items": found}
    return found


def big() -> dict[str, Any]:
    """An object with as many properties as ten million bytes hold."""
    size = len('"property_000000":{"type":"string"},')
    return {
        "type": "object",
        "properties": {f"property_{i:06}": {"type": "string"} for i in range(BIG // size)},
        "additionalProperties": False,
    }


def doubled(depth: int) -> dict[str, Any]:
    """Definitions each of which has the next one twice: 2^depth objects, told one by one."""
    defs: dict[str, Any] = {f"d{depth}": {"type": "integer"}}
    for i in range(depth):
        link = {"$ref": f"#/$defs/d{i + 1}"}
        defs[f"d{i}"] = {"type": "object", "properties": {"a": link, "b": link}, "required": ["a"]}
    return {"$ref": "#/$defs/d0", "$defs": defs}


FORMS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "regex of nested repetition": {"regex": "(a|aa|aaa)+(b|bb)*" * 40},
    "regex that counts far": {"regex": "(x{1,900}y{1,900}){1,900}"},
    "regex of many alternatives": {"regex": "|".join(f"word{i:05}[a-z]*" for i in range(20_000))},
    "left recursion": {"grammar": 'start: e\ne: e "+" e | e "*" e | "(" e ")" | /[0-9]+/'},
    "ambiguous": {"grammar": 'start: a\na: a a | a a a | "x"'},
    "circle of references": {"json_schema": circle()},
    "lists 400 deep": {"json_schema": deep(400)},
    "doubled references": {"json_schema": doubled(40)},
    "enum of 100,000": {"json_schema": {"enum": [f"entry {i}" for i in range(MANY)]}},
    "choices, 100,000": {"choices": [f"entry {i}" for i in range(MANY)]},
    "schema of 10 MB": {"json_schema": big()},
}


async def ask(llm: AsyncLLM, form: dict[str, Any]) -> str:
    """What becomes of a request with this form."""
    try:
        found = await llm.generate("It is", max_new_tokens=8, seed=1, temperature=1.0, **form)
    except ForetellError as error:
        return f"refused: {str(error)[:90]}"
    return f"writes {found.text[:40]!r}"


async def measure_form(llm: AsyncLLM, name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One hostile request beside streams."""
    prompts = [llm.tokenizer.encode(one) for one in PROMPTS]
    streams = Streams(llm, prompts)
    await streams.write(arguments.around)
    start = time.perf_counter()
    outcome = await ask(llm, FORMS[name]) if FORMS[name] else await asyncio.sleep(1, "")
    stop = time.perf_counter()
    await streams.write(arguments.around)
    await streams.stop()
    gaps = [gap for one in streams.gaps() for gap in one]
    before = [until - since for since, until in gaps if until <= start]
    during = [until - since for since, until in gaps if until > start and since < stop]
    return {
        "form": name,
        "outcome": outcome,
        "seconds": stop - start,
        "median_gap": statistics.median(before),
        "longest_gap": max(during),
        "longest_over_median": max(during) / statistics.median(before),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Each form, once."""
    found = []
    async with AsyncLLM(arguments.model, threads=arguments.threads, speculation=None) as llm:
        await llm.generate("Good morning", max_new_tokens=16, choices=["yes", "no"])
        for name in FORMS:
            one = await measure_form(llm, name, arguments)
            gap = f"{one['longest_gap'] * 1000:6.1f} ms, {one['longest_over_median']:5.1f} × median"
            memory = f"{one['peak_mib']:6.0f} MiB"
            print(f"{name:27} {one['seconds']:6.2f} s {gap} {memory} {one['outcome']}", flush=True)
            found.append(one)
    return found


def main() -> None:
    """Measure, print and write the result."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("--around", type=int, default=60, help="tokens before and after each")
    arguments = parser.parse_args()
    write_result("form-stalls", arguments, {"forms": asyncio.run(measure(arguments))})


if __name__ == "__main__":
    main()
