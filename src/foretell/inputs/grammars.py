"""The languages that settings hold texts to, compiled for a model's tokenizer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from foretell.config import GenerationConfig
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Grammar
from foretell.grammar.sources import source_of
from foretell.grammar.vocabulary import TokenBytes
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
        self._compiler = GrammarCompiler(partial(token_bytes, tokenizer, vocab_size))

    def find(self, config: GenerationConfig) -> Grammar | None:
        """The language of these settings, if they have one; what it passes over earns a warning.

        Raises:
            ConfigError: it makes no sense, is too complex, or a library is missing.
        """
        source = source_of(config)
        if source is None:
            return None
        grammar = self._compiler.compile(source)
        for sentence in grammar.passed_over:
            warn_of_setting(sentence)
        return grammar


def token_bytes(tokenizer: Tokenizer, vocab_size: int) -> TokenBytes:
    """A tokenizer's vocabulary by its bytes, as long as the model's rows are."""
    ids = range(min(tokenizer.vocab_size, vocab_size))
    tokens = [tokenizer.token_bytes(index) for index in ids]
    return TokenBytes(
        tokens=[*tokens, *([b""] * (vocab_size - len(tokens)))],
        special=frozenset(filter(tokenizer.is_special, ids)),
        encode=partial(tokenizer.encode, add_special_tokens=False, continuation=True),
    )
