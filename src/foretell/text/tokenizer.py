"""Strings to token ids and back.

tokenizer = Tokenizer.from_gguf(file.metadata, source=file.path.name)
ids = tokenizer.encode("The cat sat on the")
tokenizer.decode(ids)
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, runtime_checkable

from foretell.errors import RequestError
from foretell.formats.file_names import TOKENIZER
from foretell.text.detokenizer import Detokenizer
from foretell.text.infill_marks import find_marks
from foretell.text.tokenizers.bound import TokenBound
from foretell.text.tokenizers.place import Place
from foretell.text.tokenizers.special import SpecialTokens
from foretell.text.tokenizers.vocabulary import (
    DEFAULT_TEMPLATE,
    SPACED,
    SPECIAL_TYPES,
    MergedVocabulary,
    Vocabulary,
    read_vocabulary,
)
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate
from foretell.utils.terminal import show_bytes

if TYPE_CHECKING:
    from foretell.text.tokenizers.hf_files import TokenizerFiles


class Codec(Protocol):
    """One kind of tokenizer, as far as control tokens do not matter.

    Attributes:
        bound: on how few tokens a text can have; None where that is not certain.
    """

    @property
    def bound(self) -> TokenBound | None:
        """See above."""
        ...

    def encode(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for."""
        ...


@runtime_checkable
class SpecialCodec(Protocol):
    """A codec that reads control tokens in its own way."""

    def encode_special(self, text: str, place: Place) -> list[int]:
        """Ids of a text in which the names of control tokens count as such."""
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
        spaces_user_defined: whether `encode` also puts one after each user-defined token, as
            llama.cpp does, where SentencePiece itself would not.
        chat_template: Jinja source of a usual chat, if the model comes with one.
        chat_templates: all that it comes with, by name: "default", "tool_use", ...
        special_tokens: names of the special tokens by role, as chat templates know them:
            "bos_token", "eos_token", "pad_token", ...
        control_names: names of all control tokens.
        user_defined_names: names of the tokens that are read as such in any text.
        infill_marks: the tokens around a gap that is to be filled, if the model has such.
    """

    def __init__(self, vocabulary: Vocabulary, codec: Codec) -> None:
        self.vocab_size = len(vocabulary.tokens)
        self.bos_token_id = vocabulary.bos_token_id
        self.eos_token_id = vocabulary.eos_token_id
        self.eos_token_ids = vocabulary.eos_token_ids
        self.adds_bos = vocabulary.adds_bos
        self.adds_space_prefix = vocabulary.adds_space_prefix
        self.spaces_user_defined = (
            isinstance(vocabulary, MergedVocabulary) and vocabulary.spaces_user_defined
        )
        self.chat_templates = vocabulary.chat_templates
        self.chat_template = vocabulary.chat_templates.get(DEFAULT_TEMPLATE)
        self.special_tokens = vocabulary.special_tokens
        self._types = vocabulary.types
        self._special = SpecialTokens(vocabulary)
        self.control_names = self._special.names
        self.user_defined_names = self._special.user_defined
        self._codec = codec
        self.infill_marks = find_marks(vocabulary.ids, vocabulary.infill_ids)

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size})"

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

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """Build the tokenizer of a checkpoint's folder.

        From `tokenizer.json` where there is one (see `hf_files`), else from older files (see
        `older_files`).

        Raises:
            ModelFileError: a file is damaged, or at odds with itself or with the model.
            UnsupportedModelError: there is no file that is known, or it is of an unknown kind.
        """
        path = folder / TOKENIZER
        if path.exists() or path.is_symlink():
            from foretell.text.tokenizers.hf_files import read_files

            return cls.from_files(read_files(folder))
        from foretell.text.tokenizers.older_files import read_older

        vocabulary = read_older(folder)
        return cls(vocabulary, _make_codec(vocabulary))

    @classmethod
    def from_files(cls, files: TokenizerFiles) -> Tokenizer:
        """Build the tokenizer that such files describe; errors are those of `from_folder`."""
        from foretell.text.tokenizers.hf_vocabulary import build

        return cls(*build(files))

    @classmethod
    def from_transformers(
        cls, tokenizer: Any, *, vocab_size: int | None = None, eos_token_ids: Iterable[int] = ()
    ) -> Tokenizer:
        """Take over a tokenizer of transformers, one of the fast kind.

        Args:
            tokenizer: such as `AutoTokenizer.from_pretrained` gives. It is not changed.
            vocab_size: length of the model's logits, if known.
            eos_token_ids: tokens that end a generation besides the tokenizer's own.

        Raises:
            ConfigError: it is of another kind.
            ModelFileError, UnsupportedModelError: as for `from_folder`.
        """
        from foretell.text.tokenizers.hf_files import take_files

        return cls.from_files(take_files(tokenizer, vocab_size, frozenset(eos_token_ids)))

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = True,
        parse_special: bool = False,
        continuation: bool = False,
    ) -> list[int]:
        """Token ids of a text.

        The end-of-sequence token is never added, even where the file asks for it: a prompt is
        there to be continued. User-defined tokens are always read as such.

        Args:
            text: any text without lone surrogates.
            add_special_tokens: put the beginning-of-sequence token first if the model wants it.
            parse_special: read the names of control tokens as these tokens. Each stretch between
                them is encoded as a text of its own. Without it they are text like any other.
            continuation: the text goes on in the middle of another, whose ids come before: no space
                is put before it, where the tokenizer otherwise would.

        Raises:
            RequestError: not a string, or it has a lone surrogate.
        """
        _check_text(text)
        ids: list[int] = []
        if add_special_tokens and self.adds_bos and self.bos_token_id is not None:
            ids.append(self.bos_token_id)
        place = Place.INSIDE if continuation else Place.START
        if not parse_special:
            return ids + self._codec.encode(text, place)
        if isinstance(self._codec, SpecialCodec):
            return ids + self._codec.encode_special(text, place)
        parts = self._special.split(text)
        return ids + self._encode_parts(
            ([one] if isinstance(one, str) else one for one in parts), place
        )

    def min_tokens(self, text: str) -> int:
        """Tokens that `encode` finds in a text at least, told from its length at once; 0: none."""
        bound = self._codec.bound
        return 0 if bound is None else bound.min_tokens(text)

    def encode_parts(self, parts: Iterable[int | Sequence[str]]) -> list[int]:
        """Token ids of a text that was cut already.

        Args:
            parts: ids of control tokens, and the stretches of text between them, each in one or
                more pieces. No token is found across two pieces, and no space put between them.
        """
        return self._encode_parts(parts, Place.START)

    def _encode_parts(self, parts: Iterable[int | Sequence[str]], place: Place) -> list[int]:
        ids: list[int] = []
        for part in parts:
            if isinstance(part, int):
                ids.append(part)
            else:
                for piece in part:
                    ids += self._codec.encode(piece, place)
                    place = Place.INSIDE
            place = Place.AFTER_TOKEN
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

    def display(self, token_ids: Iterable[SupportsIndex]) -> str:
        """Tokens for display; bytes that are no whole character show as `<EA B3>`.

        The tokens' bytes are joined first: a character that several of them spell is shown.
        """
        return show_bytes(b"".join(self.token_bytes(operator.index(one)) for one in token_ids))

    def is_special(self, token_id: int) -> bool:
        """Whether the token is a control token, such as end-of-sequence, rather than text."""
        return self._types[self._check_id(token_id)] in SPECIAL_TYPES

    def _check_id(self, token_id: int) -> int:
        if not 0 <= token_id < self.vocab_size:
            raise RequestError(
                f"token id {token_id} is out of range: must be 0 to {self.vocab_size - 1}"
            )
        return token_id


def _make_codec(vocabulary: MergedVocabulary) -> Codec:
    if vocabulary.model == "llama":
        from foretell.text.tokenizers.sentencepiece import SentencePieceCodec

        return SentencePieceCodec(vocabulary)
    if vocabulary.model == "unigram":
        from foretell.text.tokenizers.unigram import UnigramCodec

        return UnigramCodec(vocabulary)
    if vocabulary.model == SPACED:
        from foretell.text.tokenizers.spaced_bpe import SpacedBPECodec

        return SpacedBPECodec(vocabulary)
    from foretell.text.tokenizers.byte_level import ByteLevelCodec

    return ByteLevelCodec(vocabulary)


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise RequestError(f"text is {quote(text)}: must be a string")
    if has_surrogate(text):
        index = next(i for i, char in enumerate(text) if "\ud800" <= char <= "\udfff")
        raise RequestError(
            f"text has the lone surrogate {text[index]!r} at {index}: must be valid Unicode"
        )
