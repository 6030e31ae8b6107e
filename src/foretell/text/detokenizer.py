"""Token ids to text, one token at a time (row 7 of the design)."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


class Detokenizer:
    """Turns a stream of ids into text; bytes of an unfinished character wait for the rest.

    The pieces that `push` and `finish` return, joined, are `tokenizer.decode` of all the ids with
    the same settings. One object serves one sequence.

    Args:
        tokenizer: whose ids they are.
        skip_special_tokens: leave control tokens out of the text.
        continuation: the ids go on from others; see `Tokenizer.decode`.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, skip_special_tokens: bool = True, continuation: bool = False
    ) -> None:
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._at_start = tokenizer.adds_space_prefix and not continuation
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        """Take one id; return the text that is complete now, perhaps none."""
        is_special = self._tokenizer.is_special(token_id)
        if is_special and self._skip_special_tokens:
            return ""
        piece = self._tokenizer.token_bytes(token_id)
        if self._at_start and not is_special:
            self._at_start = False
            piece = piece.removeprefix(b" ")
        return self._decoder.decode(piece)

    def finish(self) -> str:
        """What is left when no more ids come: U+FFFD for an unfinished character, or nothing."""
        return self._decoder.decode(b"", final=True)
