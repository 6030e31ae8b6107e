"""Strings to token ids and back (rows 2 and 7 of the design).

tokenizer = Tokenizer.from_gguf(file.metadata, source=file.path.name)
ids = tokenizer.encode("The cat sat on the")
tokenizer.decode(ids)
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, SupportsIndex

from foretell.errors import RequestError
from foretell.text.detokenizer import Detokenizer
from foretell.text.fields import has_surrogate
from foretell.text.special import SpecialTokens
from foretell.text.vocabulary import SPECIAL_TYPES, Vocabulary, read_vocabulary


class Codec(Protocol):
    """One kind of tokenizer, as far as control tokens do not matter."""

    def encode(self, text: str) -> list[int]:
        """Ids of a text."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for."""
        ...


class Tokenizer:
    """Turns text into a model's token ids and ids into text.

    Attributes:
        vocab_size: number of tokens.
        bos_token_id: the beginning-of-sequence token, if there is one.
        eos_token_id: the file's end-of-sequence token, if it names one.
        eos_token_ids: every token that ends a generation: the file's end-of-sequence, end-of-turn
            and end-of-message tokens, and those of `vocabulary.END_PIECES`.
        adds_bos: whether `encode` puts `bos_token_id` first.
        adds_space_prefix: whether `encode` puts a space before the text (SentencePiece).
        chat_template: Jinja source, if the model comes with one.
        control_names: names of all control tokens.
        user_defined_names: names of the tokens that are read as such in any text.
    """

    def __init__(self, vocabulary: Vocabulary, codec: Codec) -> None:
        self.vocab_size = len(vocabulary.tokens)
        self.bos_token_id = vocabulary.bos_token_id
        self.eos_token_id = vocabulary.eos_token_id
        self.eos_token_ids = vocabulary.eos_token_ids
        self.adds_bos = vocabulary.adds_bos
        self.adds_space_prefix = vocabulary.adds_space_prefix
        self.chat_template = vocabulary.chat_template
        self._types = vocabulary.types
        self._special = SpecialTokens(vocabulary)
        self.control_names = self._special.names
        self.user_defined_names = self._special.user_defined
        self._codec = codec

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any], *, source: str) -> Tokenizer:
        """Build the tokenizer that a GGUF file's metadata describes.

        Args:
            metadata: values by key; those under `tokenizer.` are read.
            source: the file's name, for messages.

        Raises:
            ModelFileError: a field is missing, of the wrong type or at odds with another.
            UnsupportedModelError: the tokenizer's model or pre-tokenizer is not known here.
        """
        vocabulary = read_vocabulary(metadata, source)
        return cls(vocabulary, _make_codec(vocabulary))

    def encode(
        self, text: str, *, add_special_tokens: bool = True, parse_special: bool = False
    ) -> list[int]:
        """Token ids of a text.

        The end-of-sequence token is never added, even where the file asks for it: a prompt is
        there to be continued. User-defined tokens are always read as such.

        Args:
            text: any text without lone surrogates.
            add_special_tokens: put the beginning-of-sequence token first if the model wants it.
            parse_special: read the names of control tokens as these tokens. Each stretch between
                them is encoded as a text of its own. Without it they are text like any other.

        Raises:
            RequestError: not a string, or it has a lone surrogate.
        """
        _check_text(text)
        ids: list[int] = []
        if add_special_tokens and self.adds_bos and self.bos_token_id is not None:
            ids.append(self.bos_token_id)
        for part in self._special.split(text) if parse_special else [text]:
            ids += self._codec.encode(part) if isinstance(part, str) else [part]
        return ids

    def split(self, text: str) -> Iterator[str | int]:
        """A text cut at the names of control tokens: stretches of plain text, and ids."""
        _check_text(text)
        return self._special.split(text)

    def decode(
        self,
        ids: Iterable[SupportsIndex],
        *,
        skip_special_tokens: bool = True,
        continuation: bool = False,
    ) -> str:
        """Text of token ids: the tokens' bytes joined and read as UTF-8, U+FFFD where broken.

        Args:
            ids: token ids.
            skip_special_tokens: leave control tokens out.
            continuation: the ids go on from others, as generated ones do from their prompt. Only
                matters where `adds_space_prefix`: the ids of a whole text begin with a space that
                `encode` put there, which is taken away again; a continuation keeps its own.

        Raises:
            RequestError: an id is out of range.
        """
        detokenizer = Detokenizer(
            self, skip_special_tokens=skip_special_tokens, continuation=continuation
        )
        pieces = [detokenizer.push(operator.index(token_id)) for token_id in ids]
        return "".join(pieces) + detokenizer.finish()

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token adds to a text; a control token gives its name."""
        return self._codec.token_bytes(self._check_id(token_id))

    def token_text(self, token_id: int) -> str:
        """A token for display; a fragment of a character shows as U+FFFD."""
        return self.token_bytes(token_id).decode(errors="replace")

    def is_special(self, token_id: int) -> bool:
        """Whether the token is a control token, such as end-of-sequence, rather than text."""
        return self._types[self._check_id(token_id)] in SPECIAL_TYPES

    def _check_id(self, token_id: int) -> int:
        if not 0 <= token_id < self.vocab_size:
            raise RequestError(
                f"token id {token_id} is out of range: must be 0 to {self.vocab_size - 1}"
            )
        return token_id


def _make_codec(vocabulary: Vocabulary) -> Codec:
    if vocabulary.model == "llama":
        from foretell.text.sentencepiece import SentencePieceCodec

        return SentencePieceCodec(vocabulary)
    from foretell.text.byte_level import ByteLevelCodec

    return ByteLevelCodec(vocabulary)


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise RequestError(f"text is {text!r:.60}: must be a string")
    if has_surrogate(text):
        index = next(i for i, char in enumerate(text) if "\ud800" <= char <= "\udfff")
        raise RequestError(
            f"text has the lone surrogate {text[index]!r} at {index}: must be valid Unicode"
        )
