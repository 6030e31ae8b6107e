"""The languages that settings hold texts to, compiled for a model's tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from foretell.config import GenerationConfig
from foretell.config.schemas import JsonSchema
from foretell.config.settings import FORMS
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Grammar
from foretell.grammar.sources import Progress, Source, Thoughts, source_of
from foretell.grammar.vocabulary import TokenBytes
from foretell.text.reasoning import BEGIN, END, ends_with_mark
from foretell.utils.warn import warn_of_setting

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


class Grammars:
    """Compiles what settings ask for, each language once.

    Args:
        tokenizer: the model's.
        vocab_size: number of the model's logits, which may be more than the tokens.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        self._tokenizer = tokenizer
        self._compiler = GrammarCompiler(partial(token_bytes, tokenizer, vocab_size))

    def find(self, config: GenerationConfig) -> Grammar | None:
        """The language of these settings, if they have one; what it passes over earns a warning.

        Raises:
            ConfigError: it makes no sense, is too complex, or a library is missing.
        """
        source = source_of(config)
        return None if source is None else self._compiled(source)

    def find_for_prompt(self, config: GenerationConfig, prompt: Sequence[int]) -> Grammar:
        """The language of an answer to this prompt, where thoughts may come first.

        Errors as in `find`.
        """
        source = source_of(config)
        assert source is not None
        progress = Progress.TO_COME
        if ends_with_mark(BEGIN, prompt, self._tokenizer):
            progress = Progress.BEGUN
        elif ends_with_mark(END, prompt, self._tokenizer):
            progress = Progress.OVER
        return self._compiled(replace(source, thoughts=Thoughts(BEGIN, END, progress)))

    def _compiled(self, source: Source) -> Grammar:
        grammar = self._compiler.compile(source)
        for sentence in grammar.passed_over:
            warn_of_setting(sentence)
        return grammar


def form_length(config: GenerationConfig) -> int:
    """Characters of what the settings hold a text to; 0 for nothing."""
    return sum(_length_of(getattr(config, name)) for name in FORMS)


def _length_of(value: Any) -> int:
    if isinstance(value, JsonSchema):
        return len(value.text)
    return sum(map(len, value)) if isinstance(value, (str, tuple, list)) else 0


def token_bytes(tokenizer: Tokenizer, vocab_size: int) -> TokenBytes:
    """A tokenizer's vocabulary by its bytes, as long as the model's rows are."""
    ids = range(min(tokenizer.vocab_size, vocab_size))
    tokens = [tokenizer.token_bytes(index) for index in ids]
    return TokenBytes(
        tokens=[*tokens, *([b""] * (vocab_size - len(tokens)))],
        special=frozenset(filter(tokenizer.is_special, ids)),
        encode=partial(tokenizer.encode, add_special_tokens=False, continuation=True),
    )
