"""SentencePiece BPE with byte fallback, Llama 2's and Gemma's kind of tokenizer.

Spaces are written `▁`; user-defined pieces are found first, the longest at each position; what lies
between them is merged; a character that is no piece becomes the tokens of its UTF-8 bytes. A space
before the text, where the file asks for one, is put after each control token too; for GGUF files
after each user-defined token as well, as in llama.cpp: tunes add such tokens to vocabularies that
had none when they were trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from foretell.errors import ModelFileError
from foretell.text.tokenizers.bound import TokenBound
from foretell.text.tokenizers.library import blaming, encode
from foretell.text.tokenizers.merging import can_compile, compile_merges, merge, tied_pieces
from foretell.text.tokenizers.place import Place
from foretell.text.tokenizers.vocabulary import MergedVocabulary, TokenType
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    import tokenizers

T = TypeVar("T")

SPACE = "▁"
COMPILE_AFTER = 1_000_000  # characters: merging them has taken as long as compiling would


class SentencePieceCodec:
    """Text to ids and ids to bytes for one SentencePiece vocabulary.

    Text that spells a control token is merged like any other. Pieces of type unused take part in
    merging, but come out as the parts they were made of.

    Attributes:
        bound: see `Codec`; None without byte tokens: a run of unknown characters is one token.
    """

    def __init__(self, vocabulary: MergedVocabulary) -> None:
        tokens, scores = vocabulary.tokens, vocabulary.scores
        merged = vocabulary.ids_of(TokenType.NORMAL, TokenType.UNUSED)
        self._vocabulary = vocabulary
        self._scores = dict(zip(_pick(tokens, merged), _pick(scores, merged), strict=True))
        self._unused = {tokens[i] for i in vocabulary.ids_of(TokenType.UNUSED)}
        self._user_defined = {
            tokens[i].replace(" ", SPACE): i for i in vocabulary.ids_of(TokenType.USER_DEFINED)
        }
        self._user_pattern = alternatives(self._user_defined)
        self._byte_ids = read_byte_tokens(vocabulary)
        self._unknown_id = _read_unknown_id(vocabulary, self._byte_ids)
        self._unused_parts: dict[str, list[str]] = {}
        self._merged_chars = 0
        self.bound = TokenBound(max(map(len, tokens))) if self._byte_ids else None

    def encode(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text that holds no control token, the prefix spaces included."""
        text = text.replace(" ", SPACE)
        ids: list[int] = []
        before = self._prefix(text, place)
        for part in self._split(text):
            user_defined = self._user_defined.get(part)
            ids += self._merge(before + part) if user_defined is None else [user_defined]
            before = SPACE if self._vocabulary.spaces_user_defined else ""
        return ids

    def _prefix(self, text: str, place: Place) -> str:
        """The space that goes before a text, whose spaces are written as pieces have them."""
        rules = self._vocabulary
        if place is Place.INSIDE or not rules.adds_space_prefix:
            return ""
        if place is Place.AFTER_TOKEN and not rules.spaces_after_tokens:
            return ""
        return SPACE if rules.doubles_spaces or not text.startswith(SPACE) else ""

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for; control tokens give their name."""
        token = self._vocabulary.tokens[token_id]
        kind = self._vocabulary.types[token_id]
        if kind == TokenType.BYTE:
            return bytes([int(token[3:5], 16)])
        if kind in (TokenType.CONTROL, TokenType.UNKNOWN):
            return token.encode()
        return token.replace(SPACE, " ").encode()

    def _split(self, text: str) -> Iterator[str]:
        """The text cut at user-defined pieces, these included."""
        start = 0
        for match in self._user_pattern.finditer(text):
            if match.start() > start:
                yield text[start : match.start()]
            yield match.group()
            start = match.end()
        if start < len(text):
            yield text[start:]

    def _merge(self, text: str) -> list[int]:
        self._merged_chars += len(text)
        fast = self._compiled if self._merged_chars > COMPILE_AFTER else None
        if fast is not None and not self._tied_pattern.search(text):
            with blaming(self._vocabulary.source):
                compiled: list[int] = encode(fast, text).ids
            return compiled
        ids: list[int] = []
        for piece in merge(text, self._scores):
            self._append(piece, ids)
        return ids

    @cached_property
    def _compiled(self) -> tokenizers.Tokenizer | None:
        """The faster way to the same ids, where there is one."""
        if not self._byte_ids or self._unused or not can_compile(self._scores):
            return None
        import tokenizers

        ids = {piece: self._vocabulary.ids[piece] for piece in self._scores}
        with blaming(self._vocabulary.source):
            return tokenizers.Tokenizer(compile_merges(self._scores, ids, self._byte_ids))

    @cached_property
    def _tied_pattern(self) -> re.Pattern[str]:
        return alternatives(tied_pieces(self._scores))

    def _append(self, piece: str, ids: list[int]) -> None:
        """Append the ids of one merged piece, or of what stands for it."""
        if piece in self._unused and len(piece) > 1:
            for part in self._used_parts(piece):
                self._append(part, ids)
        elif piece in self._scores and piece not in self._unused:
            ids.append(self._vocabulary.ids[piece])
        else:
            self._append_unknown(piece, ids)

    def _append_unknown(self, piece: str, ids: list[int]) -> None:
        """Append what stands for characters that are no piece."""
        if self._byte_ids:
            ids += [self._byte_ids[byte_token(byte)] for byte in piece.encode()]
        elif ids[-1:] != [self._unknown_id]:  # a run of unknown characters is one token
            ids.append(self._unknown_id)

    def _used_parts(self, unused: str) -> list[str]:
        """The parts that an unused piece was merged from, none of them such a piece of several."""
        found: list[str] = []
        waiting = [unused]
        while waiting:
            piece = waiting.pop()
            if piece in self._unused and len(piece) > 1:
                waiting += reversed(self._parts(piece))
            else:
                found.append(piece)
        return found

    def _parts(self, unused: str) -> list[str]:
        """The parts that an unused piece was merged from."""
        if unused not in self._unused_parts:
            self._unused_parts[unused] = merge(unused, self._scores, but_for=unused)
        return self._unused_parts[unused]


def _pick(values: Sequence[T], indices: list[int]) -> Iterable[T]:
    return map(values.__getitem__, indices)


def byte_token(byte: int) -> str:
    """The name of the token that stands for one byte."""
    return f"<0x{byte:02X}>"


def alternatives(pieces: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the pieces, the longest at each position; without pieces nothing."""
    longest_first = sorted(pieces, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def read_byte_tokens(vocabulary: MergedVocabulary) -> dict[str, int]:
    """Ids of the byte tokens by name: all 256, or none where the vocabulary has no fallback."""
    found = {vocabulary.tokens[i]: i for i in vocabulary.ids_of(TokenType.BYTE)}
    names = {byte_token(byte) for byte in range(256)}
    key = f"{vocabulary.source}: tokenizer.ggml.tokens"
    for name in found.keys() - names:
        raise ModelFileError(
            f"{key}[{found[name]}] is the byte token {quote(name)}: must be <0x00> to <0xFF>"
        )
    if found and found.keys() != names:
        raise ModelFileError(f"{key} has {len(found)} byte tokens: must have all 256 or none")
    return found


def _read_unknown_id(vocabulary: MergedVocabulary, byte_ids: dict[str, int]) -> int:
    unknown = vocabulary.unknown_token_id
    if unknown is not None:
        return unknown
    if not byte_ids:
        raise ModelFileError(
            f"{vocabulary.source}: tokenizer.ggml.unknown_token_id is missing: must be given "
            f"where there are no byte tokens"
        )
    return next(iter(byte_ids.values()))
