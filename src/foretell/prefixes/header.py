"""The head of a prefix's file: what the blocks behind it are, and what they must hash to.

    64 bytes: magic, version, bytes of the description, number of blocks, positions of a block,
        sha256 of all of the head
    description: a JSON object; token ids: int32; sha256 of each block
    zeros up to a multiple of 4,096 bytes, then the blocks

All integers are little-endian. The sha256 covers the head but itself, and the head has those of the
blocks: so one hash stands for the whole file.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretell.errors import ModelFileError, PrefixFileError
from foretell.formats.json import parse_object
from foretell.utils.quoting import quote

MAGIC = b"foretell prefix\0"
VERSION = 1
PAGE = 4096
HASH_BYTES = 32
MAX_DESCRIPTION = 1 << 20
MAX_TOKENS = 1 << 24  # the longest context of any model
_FIXED = struct.Struct("<16sIIII")
START_BYTES = _FIXED.size + HASH_BYTES


@dataclass(frozen=True)
class Start:
    """The first bytes of a file: how long its head is, and what it must hash to."""

    fixed: bytes
    description_bytes: int
    num_blocks: int
    block_size: int
    sha256: bytes

    @property
    def head_bytes(self) -> int:
        """Bytes of the whole head, and where the first block begins."""
        return _head_bytes(self.description_bytes, self.num_blocks, self.block_size)


@dataclass(frozen=True)
class Header:
    """What a file's blocks are.

    Attributes:
        made_by: what the bytes depend on: version of the engine, hashes of the model's files, the
            form of the blocks.
        block_size: positions in a block.
        block_bytes: bytes of a block.
        token_ids: `block_size` for each block.
    """

    made_by: Mapping[str, Any]
    block_size: int
    block_bytes: int
    token_ids: Sequence[int]

    @property
    def num_blocks(self) -> int:
        """Blocks in the file."""
        return len(self.token_ids) // self.block_size

    @property
    def offset(self) -> int:
        """Where the first block begins."""
        return _head_bytes(len(self._description), self.num_blocks, self.block_size)

    @property
    def num_bytes(self) -> int:
        """Bytes of the whole file."""
        return self.offset + self.num_blocks * self.block_bytes

    @property
    def _description(self) -> bytes:
        stated = {"made_by": dict(self.made_by), "block_bytes": self.block_bytes}
        return json.dumps(stated, sort_keys=True).encode()

    def encode(self, digests: Sequence[bytes]) -> tuple[bytes, str]:
        """The head of a file whose blocks have these hashes, and its sha256."""
        described = self._description
        fixed = _FIXED.pack(MAGIC, VERSION, len(described), self.num_blocks, self.block_size)
        rest = described + np.array(self.token_ids, "<i4").tobytes() + b"".join(digests)
        rest = rest.ljust(self.offset - START_BYTES, b"\0")
        digest = hashlib.sha256(fixed + rest)
        return fixed + digest.digest() + rest, digest.hexdigest()


def _head_bytes(description_bytes: int, num_blocks: int, block_size: int) -> int:
    used = START_BYTES + description_bytes + num_blocks * (4 * block_size + HASH_BYTES)
    return -(-used // PAGE) * PAGE


def read_start(data: bytes, source: str) -> Start:
    """The start of a file; PrefixFileError, which names `source`, if this is none."""
    if len(data) < START_BYTES or data[: len(MAGIC)] != MAGIC:
        raise PrefixFileError(f"{source} is not a prefix that save_prefix wrote")
    fixed, sha256 = data[: _FIXED.size], data[_FIXED.size : START_BYTES]
    _, version, description_bytes, num_blocks, block_size = _FIXED.unpack(fixed)
    if version != VERSION:
        raise PrefixFileError(
            f"{source} has format {version}, this version of foretell reads format {VERSION}: "
            "save it anew"
        )
    is_possible = 0 < num_blocks * block_size <= MAX_TOKENS
    if description_bytes > MAX_DESCRIPTION or not is_possible:
        raise damaged(source, "its head has impossible sizes")
    return Start(fixed, description_bytes, num_blocks, block_size, sha256)


def read_header(start: Start, rest: bytes, source: str) -> tuple[Header, list[bytes]]:
    """The header, from the rest of a file's head, and the hashes of its blocks.

    PrefixFileError if it is not what was written.
    """
    if hashlib.sha256(start.fixed + rest).digest() != start.sha256:
        raise damaged(source, "the hash of its head is wrong")
    try:
        stated = parse_object(rest[: start.description_bytes].decode(), source)
        made_by, block_bytes = stated["made_by"], stated["block_bytes"]
        if type(block_bytes) is not int or block_bytes < 1 or not isinstance(made_by, dict):
            raise ValueError(quote(stated))
    except (ModelFileError, ValueError, KeyError) as error:
        raise damaged(source, f"its description is none ({quote(str(error))})") from None
    ids_end = start.description_bytes + 4 * start.block_size * start.num_blocks
    end = ids_end + HASH_BYTES * start.num_blocks
    ids = np.frombuffer(rest[start.description_bytes : ids_end], "<i4").tolist()
    digests = [rest[begin : begin + HASH_BYTES] for begin in range(ids_end, end, HASH_BYTES)]
    return Header(made_by, start.block_size, block_bytes, ids), digests


def check_same(theirs: Mapping[str, Any], ours: Mapping[str, Any], source: str) -> None:
    """PrefixFileError, naming what differs first, unless a file was made by what is here."""
    for name in (*ours, *(name for name in theirs if name not in ours)):
        if name not in theirs or name not in ours or theirs[name] != ours[name]:
            raise PrefixFileError(
                f"{source} was made with {_WORDS.get(name, name)} {quote(theirs.get(name))}, here "
                f"it is {quote(ours.get(name))}: save it anew"
            )


_WORDS = {
    "foretell": "foretell's version",
    "model": "a model of sha256",
    "adapters": "adapters (sha256, weight)",
}


def damaged(source: str, what: str) -> PrefixFileError:
    """What is raised where a file is not as it was written."""
    return PrefixFileError(f"{source} is damaged: {what}; save it anew")
