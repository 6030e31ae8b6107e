"""BPE by merges on characters, with byte fallback: Gemma 4's kind of tokenizer, in GGUF files.

Spaces are written `▁`, as in SentencePiece, but nothing is put before a text. User-defined tokens
are found first, the longest at each position; line ends are merged apart from what lies between
them, and a run of them that is a token is taken whole, as in llama.cpp. A character that is no
token becomes the tokens of its UTF-8 bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from foretell.errors import ModelFileError
from foretell.text.tokenizers.bound import TokenBound
from foretell.text.tokenizers.library import blaming, encode
from foretell.text.tokenizers.place import Place
from foretell.text.tokenizers.sentencepiece import SPACE, alternatives, read_byte_tokens
from foretell.text.tokenizers.vocabulary import MergedVocabulary, TokenType

if TYPE_CHECKING:
    import tokenizers


class SpacedBPECodec:
    """Text to ids and ids to bytes for one such vocabulary.

    Text that spells a control token is merged like any other.

    Attributes:
        bound: see `Codec`.
    """

    def __init__(self, vocabulary: MergedVocabulary) -> None:
        self._source = vocabulary.source
        self._tokens, self._types = vocabulary.tokens, vocabulary.types
        if not read_byte_tokens(vocabulary):
            raise ModelFileError(
                f"{vocabulary.source}: tokenizer.ggml.tokens has no byte tokens: must have all 256"
            )
        user_defined = {self._tokens[i]: i for i in vocabulary.ids_of(TokenType.USER_DEFINED)}
        normal = ((self._tokens[i], i) for i in vocabulary.ids_of(TokenType.NORMAL))
        line_ends = {token: i for token, i in normal if not token.strip("\n")}
        self._whole = line_ends | user_defined
        self._cuts = re.compile(f"({alternatives(user_defined).pattern}|\n+)")
        with blaming(vocabulary.source):
            self._merges = _build(vocabulary)
        self.bound = TokenBound(max(map(len, self._tokens)))

    def encode(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text that holds no control token."""
        ids: list[int] = []
        for piece in filter(None, self._cuts.split(text)):
            whole = self._whole.get(piece)
            ids += self._merge(piece) if whole is None else [whole]
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for; control and user-defined tokens give their name."""
        token, kind = self._tokens[token_id], self._types[token_id]
        if kind == TokenType.BYTE:
            return bytes([int(token[3:5], 16)])
        if kind in (TokenType.NORMAL, TokenType.UNUSED):
            token = token.replace(SPACE, " ")
        return token.encode()

    def _merge(self, text: str) -> list[int]:
        with blaming(self._source):
            ids: list[int] = encode(self._merges, text.replace(" ", SPACE)).ids
        return ids


def _build(vocabulary: MergedVocabulary) -> tokenizers.Tokenizer:
    """The merges as a `tokenizers.Tokenizer` that neither cuts text nor knows control tokens."""
    import tokenizers
    from tokenizers import models

    kinds = set(TokenType) - {TokenType.CONTROL, TokenType.UNKNOWN}
    vocab = {vocabulary.tokens[i]: i for i in vocabulary.ids_of(*kinds)}
    return tokenizers.Tokenizer(
        models.BPE(vocab=vocab, merges=vocabulary.merges, byte_fallback=True)
    )
