"""Grammars for a vocabulary of bytes, and the texts that their masks let through."""

from __future__ import annotations

import itertools
import json
import random
from collections import deque
from collections.abc import Iterator
from typing import Any

from foretell.config import GenerationConfig
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Grammar, Matcher
from foretell.grammar.sources import source_of
from foretell.grammar.vocabulary import TokenBytes

BYTES = [bytes([byte]) for byte in range(256)]


def compiler_of(*pieces: bytes) -> GrammarCompiler:
    """Compiles for the 256 bytes and some longer pieces; text is cut into bytes."""
    vocabulary = TokenBytes([*BYTES, *pieces], frozenset(), lambda text: list(text.encode()))
    return GrammarCompiler(lambda: vocabulary)


COMPILER = compiler_of()


def grammar_of(compiler: GrammarCompiler = COMPILER, **settings: Any) -> Grammar:
    source = source_of(GenerationConfig(**settings))
    assert source is not None
    return compiler.compile(source)


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
            parts = [[f"{json.dumps(key)}:{one}" for one in spellings(value[key])] for key in order]
            yield from (f"{{{','.join(one)}}}" for one in itertools.product(*parts))
    elif isinstance(value, list):
        for items in itertools.product(*map(list, map(spellings, value))):
            yield f"[{','.join(items)}]"
    elif isinstance(value, float) and value.is_integer():
        yield from (json.dumps(value), str(int(value)))
    else:
        yield json.dumps(value, ensure_ascii=False)


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
