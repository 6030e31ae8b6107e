"""Grammars for a vocabulary of bytes, and the texts that their masks let through."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from benchmarks.oracles.json_schemas import compiler_of
from foretell.config import GenerationConfig
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Grammar, Matcher
from foretell.grammar.sources import source_of

COMPILER = compiler_of()


def grammar_of(compiler: GrammarCompiler = COMPILER, **settings: Any) -> Grammar:
    source = source_of(GenerationConfig(**settings))
    assert source is not None
    return compiler.compile(source)


def drawn_text(grammar: Grammar, alphabet: bytes, seed: int, most: int = 400) -> str:
    """A text of a language, drawn byte by byte from what its masks allow; empty if it gets long."""
    drawn, text, matcher = random.Random(seed), bytearray(), grammar.start()
    closing = set(b'"}]')
    while not matcher.is_accepting or (not matcher.has_ended and drawn.random() < 0.5):
        choices = [byte for byte in alphabet if matcher.allowed()[byte]]
        ends = [byte for byte in choices if byte in closing]
        if not choices or len(text) == most:
            return ""
        byte = drawn.choice(ends if ends and drawn.random() < len(text) / 60 else choices)
        text.append(byte)
        matcher.advance([byte])
    return text.decode()


def texts_of(grammar: Grammar, alphabet: bytes, most: int) -> list[str]:
    """Whole texts of a language, of these bytes, the shortest first, among so many beginnings."""
    found: list[str] = []
    waiting: deque[tuple[bytes, Matcher]] = deque([(b"", grammar.start())])
    for _ in range(most):
        if not waiting:
            break
        text, matcher = waiting.popleft()
        if matcher.is_accepting:
            found.append(text.decode())
        if matcher.has_ended:
            continue
        allowed = matcher.allowed()
        for byte in alphabet:
            if allowed[byte] and len(waiting) < most:
                child = matcher.clone()
                child.advance([byte])
                waiting.append((text + bytes([byte]), child))
    return found
