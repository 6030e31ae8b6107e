"""Grammars that mean harm: an error or a result, in little memory, and never a hang.

Each is compiled and followed for some steps in a process of its own, which is killed where it takes
far longer than it should.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
from collections.abc import Callable
from typing import Any

import pytest

SECONDS = 120  # a healthy one takes none; the machine may be busy
MEGABYTES = 1200


def circle(number: int) -> dict[str, Any]:
    definitions = {f"d{i}": {"$ref": f"#/$defs/d{(i + 1) % number}"} for i in range(number)}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def nested(depth: int) -> str:
    return '{"type":"array","items":' * depth + "{}" + "}" * depth


HOSTILE: dict[str, Callable[[], dict[str, Any]]] = {
    "nested stars": lambda: {"regex": "(a+)+b"},
    "nested counts": lambda: {"regex": "(a{1,1000}){1,1000}"},
    "counts of counts": lambda: {"regex": "(((a{1,99}){1,99}){1,99}){1,99}"},
    "a far look back": lambda: {"regex": "(a|b)*a(a|b){30}c(a|b)*d(a|b){30}"},
    "a large count": lambda: {"regex": "(.*a){1,100000}"},
    "classes": lambda: {"regex": r"(\p{L}|\p{N}){1,50000}x"},
    "deep brackets": lambda: {"regex": "(" * 9000 + "a" + ")" * 9000},
    "left recursion": lambda: {"grammar": 'start: start "a" | "b"'},
    "itself alone": lambda: {"grammar": "start: start"},
    "empty loops": lambda: {"grammar": 'start: (""*)* "a"'},
    "ambiguity": lambda: {"grammar": 'start: e\ne: e e e | "a" | ""'},
    "deep rules": lambda: {"grammar": "start: " + "(" * 4000 + '"a"' + ")" * 4000},
    "deep gbnf": lambda: {"grammar": "root ::= " + "(" * 9000 + '"a"' + ")" * 9000},
    "doubling rules": lambda: {
        "grammar": "start: r0\n"
        + "\n".join(f"r{i}: r{i + 1} r{i + 1} | r{i + 1}" for i in range(2000))
        + '\nr2000: "a"'
    },
    "many alternatives": lambda: {
        "grammar": "start: " + " | ".join(json.dumps(f"word {i}") for i in range(15_000))
    },
    "100,000 choices": lambda: {"choices": [f"{i}" for i in range(100_000)]},
    "100,000 long choices": lambda: {
        "choices": [f"a choice of number {i}" for i in range(100_000)]
    },
    "100,000 values": lambda: {"json_schema": {"enum": list(range(100_000))}},
    "10 MB": lambda: {
        "json_schema": {"properties": {f"property {i}": {"type": "string"} for i in range(250_000)}}
    },
    "1 MB": lambda: {
        "json_schema": {"properties": {f"property {i}": {"type": "string"} for i in range(22_000)}}
    },
    "1 MB of what is refused": lambda: {
        "json_schema": {"properties": {f"p{i}": {"format": "nonsense"} for i in range(25_000)}}
    },
    "2,000 optional keys": lambda: {
        "json_schema": {"type": "object", "properties": {f"p{i}": {} for i in range(2000)}}
    },
    "deep": lambda: {"json_schema": nested(100)},
    "deeper": lambda: {"json_schema": nested(20_000)},
    "deep in a list": lambda: {"json_schema": '{"enum":' + "[" * 50_000 + "]" * 50_000 + "}"},
    "a circle": lambda: {"json_schema": circle(2)},
    "a large circle": lambda: {"json_schema": circle(5000)},
    "a long way": lambda: {
        "json_schema": {
            "$ref": "#/$defs/d0",
            "$defs": {
                f"d{i}": {"properties": {"x": {"$ref": f"#/$defs/d{i + 1}"}}} for i in range(1999)
            }
            | {"d1999": {"type": "integer"}},
        }
    },
    "a long way of rules": lambda: {
        "grammar": "start: r0\n"
        + "\n".join(f"r{i}: r{i + 1}" for i in range(15_000))
        + '\nr15000: "a"'
    },
    "a circle of all": lambda: {"json_schema": {"allOf": [{"$ref": "#"}]}},
    "a circle of any": lambda: {"json_schema": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "products": lambda: {
        "json_schema": {
            "allOf": [
                {"anyOf": [{"properties": {f"p{i}": {"const": j}}} for j in range(4)]}
                for i in range(12)
            ]
        }
    },
    "a large multiple": lambda: {"json_schema": {"type": "integer", "multipleOf": 9_999_991}},
    "multiples": lambda: {
        "json_schema": {"allOf": [{"type": "integer"}, *({"multipleOf": n} for n in (9973, 9967))]}
    },
    "a fraction": lambda: {"json_schema": {"type": "number", "multipleOf": 1e-9}},
    "large bounds": lambda: {
        "json_schema": {"type": "integer", "minimum": -(10**300), "maximum": 10**300}
    },
    "a long text": lambda: {"json_schema": {"type": "string", "minLength": 10**9}},
    "many items": lambda: {"json_schema": {"type": "array", "minItems": 10**9}},
    "many keys": lambda: {"json_schema": {"type": "object", "maxProperties": 10**9}},
    "a bad pattern": lambda: {
        "json_schema": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}
    },
    "options of the library": lambda: {
        "json_schema": {"type": "object", "x-guidance": {"whitespace_pattern": "(a+)+"}}
    },
}


def follow(name: str, tell: Any) -> None:
    """Compile one, take some steps, and tell how it went: an error of ours, or the steps taken."""
    from support.grammars import grammar_of

    from benchmarks.oracles.json_schemas import compiler_of
    from foretell.errors import ConfigError

    before = peak_megabytes()  # of the process that was forked
    try:
        matcher = grammar_of(compiler_of(), **HOSTILE[name]()).start()
        steps = 0
        while steps < 60 and not matcher.has_ended:
            allowed = matcher.allowed().nonzero()[0]
            if not len(allowed):
                break
            matcher.advance([int(allowed[len(allowed) // 2])])
            steps += 1
        result = f"{steps} steps"
    except ConfigError as error:
        result = f"error: {error}"
    tell.send((result, peak_megabytes() - before))


def peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_an_error_or_a_result(name):
    context = multiprocessing.get_context("fork")
    heard, tell = context.Pipe(duplex=False)
    process = context.Process(target=follow, args=(name, tell))
    process.start()
    try:
        assert heard.poll(SECONDS), "it hangs"
        result, memory = heard.recv()
    finally:
        process.kill()
        process.join()
    assert memory < MEGABYTES, result
    assert len(result) < 1000
