"""The languages that settings hold texts to, compiled for a model's tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from foretell.config import GenerationConfig
from foretell.config.schemas import JsonSchema
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Grammar
from foretell.grammar.sources import Source, Thoughts, source_of
from foretell.grammar.vocabulary import TokenBytes
from foretell.text.reasoning import ends_with_mark
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
        """The language of an answer to this prompt, where the settings tell of thoughts.

        Errors as in `find`.
        """
        source, tag = source_of(config), config.structural_tag
        assert source is not None
        assert isinstance(tag, JsonSchema)
        begin, end = tag.data["thoughts"]
        if ends_with_mark(begin, prompt, self._tokenizer):
            source = replace(source, thoughts=Thoughts.BEGUN)
        elif ends_with_mark(end, prompt, self._tokenizer):
            source = replace(source, thoughts=Thoughts.OVER)
        return self._compiled(source)

    def _compiled(self, source: Source) -> Grammar:
        grammar = self._compiler.compile(source)
        for sentence in grammar.passed_over:
            warn_of_setting(sentence)
        return grammar


def form_length(config: GenerationConfig) -> int:
    """Characters of what the settings hold a text to; 0 for nothing."""
    value = None if config.form is None else getattr(config, config.form)
    if isinstance(value, JsonSchema):
        return len(value.text)
    return sum(map(len, value)) if isinstance(value, (str, tuple, list)) else 0


def splits_reasoning(config: GenerationConfig) -> bool:
    """Whether the language of these settings depends on how a prompt ends."""
    tag = config.structural_tag
    return isinstance(tag, JsonSchema) and "thoughts" in tag.data


def token_bytes(tokenizer: Tokenizer, vocab_size: int) -> TokenBytes:
    """A tokenizer's vocabulary by its bytes, as long as the model's rows are."""
    ids = range(min(tokenizer.vocab_size, vocab_size))
    tokens = [tokenizer.token_bytes(index) for index in ids]
    return TokenBytes(
        tokens=[*tokens, *([b""] * (vocab_size - len(tokens)))],
        special=frozenset(filter(tokenizer.is_special, ids)),
        encode=partial(tokenizer.encode, add_special_tokens=False, continuation=True),
    )
