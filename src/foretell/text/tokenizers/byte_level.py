"""Byte-level BPE, GPT-2's kind of tokenizer.

A token is spelled in an alphabet of 256 visible characters, one for each byte (Radford et al.
2019). Merging runs in `tokenizers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.text.tokenizers.bound import MAX_COMPOSED, TokenBound, dropped_characters
from foretell.text.tokenizers.library import blaming, encode
from foretell.text.tokenizers.place import Place
from foretell.text.tokenizers.vocabulary import MergedVocabulary, TokenType

if TYPE_CHECKING:
    import tokenizers


def byte_alphabet() -> list[str]:
    """The character that stands for each byte, 256 in all.

    Printable Latin-1 stands for itself; the other bytes take the characters from U+0100 on.
    """
    spare = map(chr, range(0x100, 0x200))
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    return [chr(byte) if byte in printable else next(spare) for byte in range(256)]


class ByteLevelCodec:
    """Text to ids and ids to bytes for one byte-level vocabulary.

    User-defined tokens are found in any text, the longest first, before it is cut and merged.
    Control tokens never come out of `encode`. A byte that the vocabulary cannot spell is dropped,
    as the models' own tokenizers do: SmolLM2 lacks a few control characters.

    Attributes:
        bound: see `Codec`.
    """

    def __init__(self, vocabulary: MergedVocabulary) -> None:
        self._source, self._tokens, self._types = (
            vocabulary.source,
            vocabulary.tokens,
            vocabulary.types,
        )  # and not the merges, of which the library has its own
        self._byte_of = {char: byte for byte, char in enumerate(byte_alphabet())}
        with blaming(vocabulary.source):
            self._tokenizer = build_tokenizer(vocabulary)
        self.bound = _bound(vocabulary)

    def encode(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text that holds no control token."""
        with blaming(self._source):
            ids: list[int] = encode(self._tokenizer, text).ids
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for; control and user-defined tokens give their name."""
        token = self._tokens[token_id]
        if self._types[token_id] in (TokenType.NORMAL, TokenType.UNUSED):
            try:
                return bytes([self._byte_of[char] for char in token])
            except KeyError:  # an added token in plain text, left at normal by its converter
                pass
        return token.encode()


def build_tokenizer(vocabulary: MergedVocabulary) -> tokenizers.Tokenizer:
    """The vocabulary as a `tokenizers.Tokenizer` that knows no control token."""
    import tokenizers
    from tokenizers import models, normalizers

    rule = vocabulary.pretokenizer
    spelled = vocabulary.ids_of(TokenType.NORMAL, TokenType.UNUSED, TokenType.USER_DEFINED)
    vocab = {vocabulary.tokens[i]: i for i in spelled}
    model = models.BPE(vocab=vocab, merges=vocabulary.merges, ignore_merges=rule.whole_words)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = rule.build()
    if rule.nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens(
        [
            tokenizers.AddedToken(vocabulary.tokens[i], normalized=False)
            for i in vocabulary.ids_of(TokenType.USER_DEFINED)
        ]
    )
    return tokenizer


def _bound(vocabulary: MergedVocabulary) -> TokenBound | None:
    spelled = {vocabulary.tokens[i] for i in vocabulary.ids_of(TokenType.NORMAL, TokenType.UNUSED)}
    dropped = dropped_characters(spelled, byte_alphabet())
    if dropped is None:
        return None
    composed = MAX_COMPOSED if vocabulary.pretokenizer.nfc else 1
    return TokenBound(composed * max(map(len, vocabulary.tokens)), dropped)
