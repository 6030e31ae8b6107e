"""Compiling: each language once, the last ones kept, errors that name what is to blame."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from benchmarks.oracles.json_schemas import compiler_of
from foretell import ConfigError, GenerationConfig
from foretell.errors import BusyError
from foretell.grammar import compiler as module
from foretell.grammar import deep_stack
from foretell.grammar.compiler import GrammarCompiler, require_library
from foretell.grammar.sources import Source, source_of
from foretell.grammar.vocabulary import TokenBytes


def source(**form: Any) -> Source:
    found = source_of(GenerationConfig(**form))
    assert found is not None
    return found


def test_a_language_is_compiled_once_for_all_who_ask_at_a_time() -> None:
    compiler, found = compiler_of(), []
    ask = lambda: found.append(compiler.compile(source(regex="a{3,99}b")))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len({*map(id, found)}) == 1


def test_those_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    compiler = compiler_of()
    first = compiler.compile(source(regex="a"))
    compiler.compile(source(regex="b"))
    assert compiler.compile(source(regex="a")) is first
    compiler.compile(source(regex="c"))
    assert compiler.compile(source(regex="a")) is first
    compiler.compile(source(regex="d"))
    compiler.compile(source(regex="e"))
    assert compiler.compile(source(regex="a")) is not first


def test_the_vocabulary_is_read_with_the_first_language() -> None:
    asked = []

    def read() -> TokenBytes:
        asked.append(1)
        tokens = [bytes([byte]) for byte in range(256)]
        return TokenBytes(tokens, frozenset(), lambda text: [*text.encode()])

    compiler = GrammarCompiler(read)
    assert not asked
    compiler.compile(source(regex="a"))
    compiler.compile(source(regex="b"))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"regex": "a("}, "regex cannot be "),
        ({"regex": "[^\\s\\S]"}, "regex "),
        ({"grammar": "no grammar"}, "grammar "),
        ({"grammar": "start: other"}, "grammar cannot be compiled"),
        ({"json_schema": "false"}, "json_schema=false allows no text at all"),
        (
            {"json_schema": {"properties": {"a": {"pattern": "("}}}},
            r"'pattern' at \$\.properties\.a",
        ),
    ],
)
def test_what_cannot_be_compiled_is_named(form: dict[str, Any], message: str) -> None:
    for _ in range(2):  # nothing of it is kept
        with pytest.raises(ConfigError, match=message):
            compiler_of().compile(source(**form))


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(ConfigError, match="needs llguidance: pip install"):
        require_library()


def test_a_deep_stack_gives_what_is_made_or_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyError("x")

    before = threading.stack_size()
    assert deep_stack.run_deep(lambda: 3) == 3
    with pytest.raises(KeyError, match="x"):
        deep_stack.run_deep(fail)
    assert threading.stack_size() == before

    def cannot_start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", cannot_start)
    with pytest.raises(BusyError, match="too little memory"):
        deep_stack.run_deep(lambda: 3)
    assert threading.stack_size() == before
