"""Texts at temperature 2, held to bounded schemas: each must parse and validate.

    python -m benchmarks.stress.structured MODEL --texts 2000

Needs jsonschema and llguidance.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from decimal import Decimal
from typing import Any

import jsonschema

from foretell import LLM

BATCH = 20  # texts at once
CLOSED = {"type": "object", "additionalProperties": False}
SHORT = {"type": "string", "maxLength": 12}
FLAG = {"type": "boolean"}


def record(**properties: Any) -> dict[str, Any]:
    """An object with these keys and no others, all required."""
    return {**CLOSED, "properties": properties, "required": [*properties]}


def integer(low: int, high: int) -> dict[str, Any]:
    """A whole number within bounds."""
    return {"type": "integer", "minimum": low, "maximum": high}


def several(items: Any, most: int = 3) -> dict[str, Any]:
    """A short list."""
    return {"type": "array", "items": items, "maxItems": most}


def one_of(*values: Any) -> dict[str, Any]:
    """One of some values."""
    return {"enum": [*values]}


SCHEMAS: dict[str, Any] = {
    "person": record(name=SHORT, age=integer(0, 120), member=FLAG),
    "choice": one_of("yes", "no", "maybe", None, 3),
    "numbers": several(integer(-999, 999), 5),
    "decimals": several({"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.01}),
    "word": {"type": "string", "minLength": 3, "maxLength": 8, "pattern": "^[a-z]+$"},
    "date": record(day={"type": "string", "format": "date"}),
    "time": record(at={"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}),
    "address": record(host={"type": "string", "format": "ipv4"}, port=integer(1, 65535)),
    "identity": record(id={"type": "string", "format": "uuid"}),
    "nested": record(a=record(b=record(c=integer(0, 9)))),
    "list of records": several(record(x=integer(0, 9), y=integer(0, 9))),
    "pair": {
        "type": "array",
        "prefixItems": [SHORT, FLAG],
        "items": False,
        "minItems": 2,
        "maxItems": 2,
    },
    "optional": {**CLOSED, "properties": {"a": SHORT, "b": FLAG, "c": integer(1, 5)}},
    "either": {
        "anyOf": [record(kind={"const": "x"}, v=FLAG), record(kind={"const": "y"}, w=SHORT)]
    },
    "map": {**CLOSED, "patternProperties": {"^[a-z]{1,6}$": integer(0, 9)}, "maxProperties": 3},
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "leaf": record(v=integer(0, 9)),
            "node": record(left={"$ref": "#/$defs/leaf"}, right={"$ref": "#/$defs/leaf"}),
        },
    },
    "colour": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
    "multiple": record(n={"type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 700}),
    "long text": record(text={"type": "string", "minLength": 40, "maxLength": 60}),
    "call": record(name=one_of("search", "open"), arguments=record(query=SHORT, top=integer(1, 9))),
}


def exactly(text: str) -> Any:
    """What JSON says; its numbers as decimals, since 0.14 is no multiple of 0.01 in floats."""
    return json.loads(text, parse_float=Decimal)


def run(llm: LLM, name: str, count: int) -> tuple[int, int, list[str]]:
    """Texts that ended, tokens written, and what was wrong."""
    schema, wrong = SCHEMAS[name], []
    validator = jsonschema.Draft202012Validator(exactly(json.dumps(schema)))
    num_ended = num_tokens = 0
    for start in range(0, count, BATCH):
        number = min(BATCH, count - start)
        outputs = llm.generate(
            f"An example of a {name} as JSON:\n",
            json_schema=schema,
            temperature=2.0,
            seed=start,
            num_return_sequences=number,
            max_new_tokens=400,
        )
        for output in outputs if isinstance(outputs, list) else [outputs]:
            num_tokens += output.usage.completion_tokens
            if not output.complete:
                wrong.append(f"{name}: not complete after {output.usage.completion_tokens} tokens")
                continue
            num_ended += 1
            wrong += [
                f"{name}: {one.message}" for one in validator.iter_errors(exactly(output.text))
            ]
    return num_ended, num_tokens, wrong


def main() -> None:
    """Print a line a schema; exit with 1 if any text was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--texts", type=int, default=2000, help="in all")
    options = parser.parse_args()
    wrong: list[str] = []
    with LLM(options.model, context_length=1024, num_blocks=1600) as llm:
        for name in SCHEMAS:
            started = time.perf_counter()
            ended, tokens, found = run(llm, name, -(-options.texts // len(SCHEMAS)))
            speed = tokens / (time.perf_counter() - started)
            print(f"{name:18s} {ended:5d} texts {tokens:7d} tokens {speed:6.0f}/s", flush=True)
            wrong += found
    print("\n".join(wrong) or "all parse and validate")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
