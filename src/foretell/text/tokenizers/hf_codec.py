"""Text to ids by a `tokenizer.json`, which the `tokenizers` library runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from foretell.text.tokenizers.bound import TokenBound
from foretell.text.tokenizers.hf_decoders import Decoder
from foretell.text.tokenizers.hf_spacing import without_first_space, without_spaces
from foretell.text.tokenizers.library import blaming, encode, encode_with_offsets
from foretell.text.tokenizers.place import Place
from foretell.text.tokenizers.vocabulary import TokenType, Vocabulary

if TYPE_CHECKING:
    import tokenizers


class JsonCodec:
    """Text to ids and ids to bytes as a `tokenizer.json` says.

    In `encode` the names of control tokens are text: where the library would read one even so,
    because the vocabulary itself spells it, the name is cut in two first.

    Args:
        tokenizer: of `load_tokenizer`. It belongs to the codec from now on.
        vocabulary: its tokens.
        decoder: its way back to text.
        added: ids of the tokens that were added beside the model's own.
        bound: see `Codec`.
    """

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        vocabulary: Vocabulary,
        decoder: Decoder,
        added: Collection[int],
        bound: TokenBound | None = None,
    ) -> None:
        self.bound = bound
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._decoder = decoder
        self._added = frozenset(added)
        self._control = frozenset(vocabulary.ids_of(TokenType.CONTROL))
        self._lock = threading.Lock()

    def encode(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text in which no control token is read."""
        ids = self._run(text, place, reads_names=False)
        if self._control.isdisjoint(ids):
            return ids
        first, *others = self._cut_names(text)
        ids = self._run(first, place, reads_names=False)
        for part in others:
            ids += self._run(part, Place.INSIDE, reads_names=False)
        return [token_id for token_id in ids if token_id not in self._control]

    def encode_special(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text in which the names of control tokens count as such."""
        return self._run(text, place, reads_names=True)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for; control tokens give their name."""
        token = self._vocabulary.tokens[token_id]
        if self._vocabulary.types[token_id] in (TokenType.CONTROL, TokenType.UNKNOWN):
            return token.encode()
        return self._decoder.token_bytes(token, is_text=token_id not in self._added)

    def _run(self, text: str, place: Place, *, reads_names: bool) -> list[int]:
        with self._lock, blaming(self._vocabulary.source):
            if place is Place.INSIDE:
                return self._run_inside(text, reads_names)
            tokenizer = self._tokenizer if place is Place.START else self._after_token
            tokenizer.encode_special_tokens = not reads_names
            ids: list[int] = encode(tokenizer, text).ids
            return ids

    def _run_inside(self, text: str, reads_names: bool) -> list[int]:
        """Ids without a space at the begin; behind an added token the text has its spaces again."""
        self._inside.encode_special_tokens = not reads_names
        if self._inside is self._after_token:
            ids: list[int] = encode(self._inside, text).ids
            return ids
        self._after_token.encode_special_tokens = not reads_names
        found = encode_with_offsets(self._after_token, text)
        token = next((i for i, one in enumerate(found.ids) if one in self._added), len(found.ids))
        end = found.offsets[token][0] if token < len(found.ids) else len(text)
        ids = encode(self._inside, text[:end]).ids
        return [*ids, *found.ids[token:]]

    @cached_property
    def _after_token(self) -> tokenizers.Tokenizer:
        return without_first_space(self._tokenizer)

    @cached_property
    def _inside(self) -> tokenizers.Tokenizer:
        return without_spaces(self._after_token)

    def _cut_names(self, text: str) -> list[str]:
        """The text in parts, cut after the first character of each control token's name."""
        cuts = [match.start() + 1 for match in self._names.finditer(text)]
        return [text[begin:end] for begin, end in pairwise([0, *cuts, len(text)])]

    @cached_property
    def _names(self) -> re.Pattern[str]:
        tokens = self._vocabulary.tokens
        names = "|".join(re.escape(tokens[token_id]) for token_id in self._control)
        return re.compile(f"(?={names})")
