"""A `tokenizer.model`: SentencePiece's own file, in the words of GGUF metadata.

The file is one message of protocol buffers, `ModelProto` of sentencepiece_model.proto; what is read
of it are the pieces, how the text is prepared, and which pieces have a role.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizers.vocabulary import MAX_TOKENS, TokenType
from foretell.utils.quoting import quote

# Fields of ModelProto, SentencePiece, TrainerSpec and NormalizerSpec.
PIECES, TRAINER, NORMALIZER, DENORMALIZER = 1, 2, 3, 5
PIECE, SCORE, KIND = 1, 2, 3
MODEL_TYPE, SPACE_IS_SUFFIX, UNK_ID, BOS_ID, EOS_ID = 3, 24, 40, 41, 42
CHARSMAP, ADD_DUMMY_PREFIX, REMOVE_EXTRA_WHITESPACES, ESCAPE_WHITESPACES = 2, 3, 4, 5

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How the value of a field is written."""

Value = int | bytes

UNIGRAM = 1
MODELS: dict[Value, str] = {UNIGRAM: "unigram", 2: "llama"}
OTHER_MODELS: dict[Value, str] = {3: "word", 4: "char"}


@dataclass
class _Pieces:
    tokens: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[int] = field(default_factory=list)


def read_sentencepiece(data: bytes, source: str) -> dict[str, Any]:
    """The metadata that GGUF's specification has for such a tokenizer.

    Args:
        data: the file's content.
        source: its name, for messages.

    Raises:
        ModelFileError: it is damaged.
        UnsupportedModelError: its pieces are words or characters, or it prepares the text in a way
            that is not known here.
    """
    pieces, specs = _Pieces(), dict[int, dict[int, Value]]()
    try:
        for number, value in _fields(data):
            if number == PIECES:
                _add_piece(pieces, _bytes(value))
            elif number in (TRAINER, NORMALIZER, DENORMALIZER):
                specs[number] = dict(_fields(_bytes(value)))
    except (ValueError, IndexError, struct.error) as error:
        raise ModelFileError(
            f"{source} is damaged: must be a model of SentencePiece ({error})"
        ) from None
    if not pieces.tokens:
        raise ModelFileError(f"{source} has no pieces: must be a model of SentencePiece")
    trainer, normalizer, denormalizer = (
        specs.get(number, {}) for number in (TRAINER, NORMALIZER, DENORMALIZER)
    )
    _check_kind(trainer, source)
    _check_preparation(normalizer, source)
    if denormalizer.get(CHARSMAP):
        raise UnsupportedModelError(f"{source} replaces characters of decoded texts: must not")
    return _metadata(pieces, trainer, normalizer)


def _metadata(
    pieces: _Pieces, trainer: dict[int, Value], normalizer: dict[int, Value]
) -> dict[str, Any]:
    ids = {"unknown": trainer.get(UNK_ID, 0), "bos": trainer.get(BOS_ID, 1)}
    ids["eos"] = trainer.get(EOS_ID, 2)
    marks = {
        f"tokenizer.ggml.{role}_token_id": index
        for role, index in ids.items()
        if isinstance(index, int) and index < len(pieces.tokens)  # -1: there is none
    }
    return {
        "tokenizer.ggml.model": MODELS[trainer.get(MODEL_TYPE, UNIGRAM)],
        "tokenizer.ggml.tokens": pieces.tokens,
        "tokenizer.ggml.scores": pieces.scores,
        "tokenizer.ggml.token_type": pieces.types,
        "tokenizer.ggml.add_space_prefix": bool(normalizer.get(ADD_DUMMY_PREFIX, 1)),
        "tokenizer.ggml.add_bos_token": "tokenizer.ggml.bos_token_id" in marks,
        **marks,
    }


def _check_kind(trainer: dict[int, Value], source: str) -> None:
    kind = trainer.get(MODEL_TYPE, UNIGRAM)
    if kind not in MODELS:
        name = OTHER_MODELS.get(kind, kind)
        raise UnsupportedModelError(
            f"{source} has pieces of kind {quote(name)}: must be 'bpe' or 'unigram'; load "
            "it with transformers' AutoTokenizer and save it again, or give tokenizer="
        )
    if trainer.get(SPACE_IS_SUFFIX):
        raise UnsupportedModelError(f"{source} has treat_whitespace_as_suffix: must not")


def _check_preparation(normalizer: dict[int, Value], source: str) -> None:
    if normalizer.get(CHARSMAP):
        raise UnsupportedModelError(f"{source} replaces characters of a text: must not")
    if normalizer.get(REMOVE_EXTRA_WHITESPACES, 1):
        raise UnsupportedModelError(f"{source} removes extra white space: must keep it")
    if not normalizer.get(ESCAPE_WHITESPACES, 1):
        raise UnsupportedModelError(f"{source} does not escape white space: must do so")


def _add_piece(pieces: _Pieces, message: bytes) -> None:
    token, score, kind = "", 0.0, int(TokenType.NORMAL)
    for number, value in _fields(message):
        if number == PIECE:
            token = _bytes(value).decode()
        elif number == SCORE:
            (score,) = struct.unpack("<f", _bytes(value))
        elif number == KIND and isinstance(value, int):
            kind = value
    if len(pieces.tokens) >= MAX_TOKENS:
        raise ValueError(f"more than {MAX_TOKENS} pieces")
    if kind == TokenType.USER_DEFINED and " " in token:
        kind = int(TokenType.UNUSED)  # it is never found: the text's own spaces are written ▁
    is_ours = kind == TokenType.USER_DEFINED
    pieces.tokens.append(token.replace("▁", " ") if is_ours else token)
    pieces.scores.append(score)
    pieces.types.append(kind)


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in place of a text")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order: numbers, or bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if size > end - at:
            raise ValueError(f"{size} bytes of {end - at} that are left")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the low ones first, and where it ends."""
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    for shift in range(7, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")
