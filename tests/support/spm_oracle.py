"""The `sentencepiece` package reading a vocabulary that foretell reads too.

It wants a serialized ModelProto; the few fields that matter are written here by hand, after
sentencepiece_model.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from sentencepiece import SentencePieceProcessor

BPE = 2
UNKNOWN = 2
USER_DEFINED = 4
BYTE = 6


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def blob(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def piece_message(piece: str, score: float, kind: int) -> bytes:
    number = varint(2 << 3 | 5) + struct.pack("<f", score)
    return blob(1, blob(1, piece.encode()) + number + integer(3, kind))


def processor(metadata: Mapping[str, Any]) -> SentencePieceProcessor:
    """SentencePiece on the vocabulary in GGUF metadata, with GGUF's spelling undone."""
    unknown = metadata["tokenizer.ggml.unknown_token_id"]
    types = list(metadata["tokenizer.ggml.token_type"])
    types[unknown] = UNKNOWN
    pieces = [
        piece_message(token.replace(" ", "▁") if kind == USER_DEFINED else token, score, kind)
        for token, score, kind in zip(
            metadata["tokenizer.ggml.tokens"],
            metadata["tokenizer.ggml.scores"],
            types,
            strict=True,
        )
    ]
    trainer = integer(3, BPE) + integer(35, int(BYTE in types)) + integer(40, unknown)
    for field in (41, 42, 43):  # bos, eos, pad: none
        trainer += integer(field, 2**64 - 1)
    prefix = metadata.get("tokenizer.ggml.add_space_prefix", True)
    normalizer = blob(1, b"identity") + integer(3, int(prefix)) + integer(4, 0) + integer(5, 1)
    proto = b"".join(pieces) + blob(2, trainer) + blob(3, normalizer)
    return SentencePieceProcessor(model_proto=proto)
