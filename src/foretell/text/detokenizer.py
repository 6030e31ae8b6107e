"""Token ids to text, one token at a time."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Protocol

MAX_FRAGMENT = 3  # bytes of a character that lacks its last


class TokenBytes(Protocol):
    """What is asked of a tokenizer: the bytes of its tokens.

    Attributes:
        adds_space_prefix: whether the ids of a whole text begin with a space that is not its own.
    """

    adds_space_prefix: bool

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token adds to a text."""
        ...

    def is_special(self, token_id: int) -> bool:
        """Whether it is a control token, rather than text."""
        ...


class Detokenizer:
    """Turns a stream of ids into text; bytes of an unfinished character wait for the rest.

    The pieces that `push` and `finish` return, joined, are `tokenizer.decode` of all the ids with
    the same settings. One object serves one sequence.

    Args:
        tokenizer: whose ids they are.
        skip_special_tokens: leave control tokens out of the text.
        continuation: the ids go on from others; see `Tokenizer.decode`.
        pending: an unfinished character's bytes, with which those others end. If the ids go on with
            it, it is theirs; if not, it adds nothing.

    Attributes:
        num_broken: characters that others had begun and the last id left unfinished.
        num_unfinished: characters that the bytes which wait for more would show as if no more came.
    """

    def __init__(
        self,
        tokenizer: TokenBytes,
        *,
        skip_special_tokens: bool = True,
        continuation: bool = False,
        pending: bytes = b"",
    ) -> None:
        self.num_broken = self.num_unfinished = 0
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._at_start = tokenizer.adds_space_prefix and not continuation
        self._decoder = _decoder()
        self._inherited = pending
        self._waiting = b""  # bytes of an unfinished character

    def push(self, token_id: int) -> str:
        """Take one id; return the text that is complete now, perhaps none."""
        self.num_broken = 0
        is_special = self._tokenizer.is_special(token_id)
        if is_special and self._skip_special_tokens:
            return ""
        piece = self._tokenizer.token_bytes(token_id)
        if self._at_start and not is_special:
            self._at_start = False
            piece = piece.removeprefix(b" ")
        return self._decode(piece) if piece else ""

    def _decode(self, piece: bytes) -> str:
        inherited, self._inherited = self._inherited, b""
        if inherited and _num_characters(inherited + piece[:1]) == 1:
            self._decoder.decode(inherited)
            self._waiting = inherited
        if self._waiting:
            self.num_broken = _num_characters(self._waiting + piece[:1]) - 1
        text = self._decoder.decode(piece)
        self._waiting, _ = self._decoder.getstate()
        self.num_unfinished = _num_characters(self._waiting) if self._waiting else 0
        return text

    def finish(self) -> str:
        """What is left when no more ids come: U+FFFD for an unfinished character, or nothing."""
        self.num_unfinished, self._waiting = 0, b""
        return self._decoder.decode(b"", final=True)


def unfinished_character(tokenizer: TokenBytes, token_ids: Sequence[int]) -> bytes:
    """The bytes of the character in the middle of which the ids end; control tokens are no part."""
    tail = b""
    for token_id in reversed(token_ids):
        if len(tail) >= MAX_FRAGMENT:
            break
        if not tokenizer.is_special(token_id):
            tail = tokenizer.token_bytes(token_id) + tail
    decoder = _decoder()
    decoder.decode(tail)
    waiting, _ = decoder.getstate()
    return waiting


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")(errors="replace")


def _num_characters(data: bytes) -> int:
    return len(data.decode(errors="replace"))
