"""What a `tokenizer.json` says of turning tokens back into text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizers.byte_level import byte_alphabet
from foretell.utils.quoting import quote

BYTE_NAME = re.compile(r"<0x([0-9A-F]{2})>")
MAX_STEPS = 16


@dataclass(frozen=True)
class Decoder:
    """The rules, as far as each token by itself has bytes.

    Attributes:
        is_byte_level: tokens are spelled in the alphabet of `byte_level.byte_alphabet`.
        replacements: what stands for what in a token, in order: usually `▁` for a space.
        has_bytes: tokens named `<0x00>` to `<0xFF>` are single bytes.
        strips_space: a space at the begin of a text is taken away.
    """

    is_byte_level: bool = False
    replacements: tuple[tuple[str, str], ...] = ()
    has_bytes: bool = False
    strips_space: bool = False

    def token_bytes(self, token: str, *, is_text: bool) -> bytes:
        """The bytes of a token; one that was added beside the vocabulary is plain text."""
        if self.is_byte_level:
            return _spelled(token) if is_text else token.encode()
        match = BYTE_NAME.fullmatch(token) if self.has_bytes and is_text else None
        if match is not None:
            return bytes([int(match[1], 16)])
        for old, new in self.replacements:
            token = token.replace(old, new)
        return token.encode()


BYTES_OF = {char: byte for byte, char in enumerate(byte_alphabet())}


def _spelled(token: str) -> bytes:
    try:
        return bytes([BYTES_OF[char] for char in token])
    except KeyError:
        return token.encode()


def read_decoder(spec: object, source: str, *, has_bytes: bool) -> Decoder:
    """Read the `decoder` of a `tokenizer.json`.

    Args:
        spec: the value.
        source: the file, for messages.
        has_bytes: whether the model falls back to byte tokens.

    Raises:
        ModelFileError: it is not an object with a type.
        UnsupportedModelError: it does more to tokens than `Decoder` can.
    """
    is_byte_level = strips = False
    replacements: list[tuple[str, str]] = []
    for step in _steps(spec, source):
        kind = step.get("type")
        if kind == "ByteLevel":
            is_byte_level = True
        elif kind == "Replace":
            replacements.append(_replacement(step, source))
        elif kind == "Metaspace":
            replacements.append((_text(step, "replacement", source), " "))
            strips = step.get("prepend_scheme") != "never" and step.get("add_prefix_space", True)
        elif kind == "Strip" and (step.get("content"), step.get("stop")) == (" ", 0):
            strips = step.get("start") == 1
        elif kind not in ("ByteFallback", "Fuse"):
            raise UnsupportedModelError(
                f"{source}: decoder {quote(kind)} is not supported: must be made of ByteLevel, "
                "Replace, Metaspace, ByteFallback, Fuse and Strip"
            )
    return Decoder(is_byte_level, tuple(replacements), has_bytes, bool(strips))


def _steps(spec: object, source: str) -> list[Mapping[str, Any]]:
    steps = spec.get("decoders") if isinstance(spec, dict) and spec.get("decoders") else [spec]
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ModelFileError(f"{source}: decoder must be an object with a type")
    if len(steps) > MAX_STEPS:
        raise ModelFileError(
            f"{source}: decoder has {len(steps)} steps: must have at most {MAX_STEPS}"
        )
    return steps


def _replacement(step: Mapping[str, Any], source: str) -> tuple[str, str]:
    pattern = step.get("pattern")
    if not isinstance(pattern, dict) or not pattern.get("String"):
        raise UnsupportedModelError(f"{source}: a decoder's Replace must have a String pattern")
    return _text(pattern, "String", source), _text(step, "content", source)


def _text(step: Mapping[str, Any], key: str, source: str) -> str:
    value = step.get(key)
    if not isinstance(value, str):
        raise ModelFileError(f"{source}: {key} of a decoder is {quote(value)}: must be a string")
    return value
