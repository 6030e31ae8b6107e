"""Judges a suite of JSON schemas by their masks, byte by byte, and prints a table.

    python -m benchmarks.oracles.json_schemas path/to/tests/draft2020-12

The suite is JSON-Schema-Test-Suite's, whose files have schemas with instances that are valid and
invalid. A schema is compiled, or refused by keyword and path. Of one that compiles, every valid
instance must be reachable in one of its spellings (the order of keys, 1 or 1.0, escapes), and no
invalid instance in any. With `--lenient` all is compiled that can be, and the wrong are counted.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foretell.config import GenerationConfig
from foretell.errors import ConfigError
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Grammar
from foretell.grammar.sources import source_of
from foretell.grammar.vocabulary import TokenBytes

MAX_SPELLINGS = 300


@dataclass
class Verdicts:
    """What became of the schemas of one file.

    Attributes:
        counts: of schemas that compiled or were refused, of instances right and wrong.
        refusals: what was refused, and why.
        wrong: instances that were judged wrongly.
    """

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def compiler_of(*pieces: bytes) -> GrammarCompiler:
    """Compiles for the 256 bytes and some longer pieces; text is cut into bytes."""
    tokens = [*(bytes([byte]) for byte in range(256)), *pieces]
    vocabulary = TokenBytes(tokens, frozenset(), lambda text: list(text.encode()))
    return GrammarCompiler(lambda: vocabulary)


def is_reachable(grammar: Grammar, text: str) -> bool:
    """Whether the masks let a whole text through, byte by byte, and let it end there."""
    matcher = grammar.start()
    for byte in text.encode():
        if matcher.has_ended or not matcher.allowed()[byte]:
            return False
        matcher.advance([byte])
    return matcher.is_accepting


def spellings(value: Any) -> Iterator[str]:
    """JSON texts of a value, compact, with its keys in every order."""
    if isinstance(value, dict):
        for order in itertools.permutations(value):
            parts = [
                [f"{json.dumps(key, ensure_ascii=False)}:{one}" for one in spellings(value[key])]
                for key in order
            ]
            yield from (f"{{{','.join(parts)}}}" for parts in itertools.product(*parts))
    elif isinstance(value, list):
        for parts in itertools.product(*map(list, map(spellings, value))):
            yield f"[{','.join(parts)}]"
    elif isinstance(value, str):
        yield from dict.fromkeys((json.dumps(value, ensure_ascii=False), json.dumps(value)))
    elif isinstance(value, float) and value.is_integer():
        yield from dict.fromkeys((json.dumps(value), str(int(value))))
    else:
        yield json.dumps(value)


def judge(grammar: Grammar, value: Any) -> bool:
    """Whether a value is reachable in one of its spellings."""
    texts = itertools.islice(spellings(value), MAX_SPELLINGS)
    return any(is_reachable(grammar, text) for text in texts)


def run_file(path: Path, compiler: GrammarCompiler, *, lenient: bool) -> Verdicts:
    """The verdicts on one file of the suite."""
    found = Verdicts()
    for case in json.loads(path.read_text(encoding="utf-8")):
        config = GenerationConfig(json_schema=case["schema"], lenient=lenient)
        try:
            source = source_of(config)
            assert source is not None
            grammar = compiler.compile(source)
        except ConfigError as error:
            found.counts["refused"] += 1
            found.refusals.append(f"{case['description']}: {error}")
            continue
        found.counts["compiled"] += 1
        for test in case["tests"]:
            if "only an annotation" in test["description"]:
                found.counts["format"] += 1  # here a text is held to it
                continue
            is_right = judge(grammar, test["data"]) == test["valid"]
            found.counts["right" if is_right else "wrong"] += 1
            if not is_right:
                told = "ruled out" if test["valid"] else "let through"
                value, schema = json.dumps(test["data"]), json.dumps(case["schema"])
                found.wrong.append(f"{told}: {value[:80]} by {schema[:300]}")
    return found


def main() -> None:
    """Print a line a file, then the sums, then what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lenient", action="store_true")
    parser.add_argument("--refusals", action="store_true", help="list what is refused, and why")
    options = parser.parse_args()
    compiler, total = compiler_of(), Verdicts()
    columns = ("compiled", "refused", "right", "wrong", "format")
    print(f"{'file':28s}" + "".join(f"{name:>10s}" for name in columns))
    for path in sorted(options.folder.glob("*.json")):
        found = run_file(path, compiler, lenient=options.lenient)
        total.counts += found.counts
        total.refusals += found.refusals
        total.wrong += found.wrong
        print(f"{path.stem:28s}" + "".join(f"{found.counts[name]:10d}" for name in columns))
    print(f"{'all':28s}" + "".join(f"{total.counts[name]:10d}" for name in columns))
    for line in (*total.wrong, *(total.refusals if options.refusals else ())):
        print(line)


if __name__ == "__main__":
    main()
