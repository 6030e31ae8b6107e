"""How much longer the steps of a `tokenizer.json` can make a text: bounded before they run."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Mapping
from math import prod
from typing import Any

from foretell.errors import ModelFileError
from foretell.text.tokenizers.hf_steps import steps_of

MAX_GROWTH = 512  # times; known tokenizers stay below 50, of which NFKC's longest sign makes 18
MAX_PREPENDED = 1024  # characters
BYTES_OF_CHARACTER = 4


def check_growth(spec: Mapping[str, Any], source: str) -> None:
    """Refuse steps that double a text over and over, with a ModelFileError that names `source`."""
    for part in ("normalizer", "decoder"):
        growth = prod(_growth(step) for step in steps_of(spec.get(part)))
        if growth > MAX_GROWTH:
            raise ModelFileError(
                f"{source}: {part} can make a text {growth:.0f} times as long: must be at most "
                f"{MAX_GROWTH} times"
            )
    prepended = sum(len(str(step.get("prepend", ""))) for step in steps_of(spec.get("normalizer")))
    if prepended > MAX_PREPENDED:
        raise ModelFileError(
            f"{source}: normalizer puts {prepended} characters before a text: must be at most "
            f"{MAX_PREPENDED}"
        )
    for step in steps_of(spec.get("post_processor")):
        if _times_repeated(step) > 1:
            raise ModelFileError(f"{source}: post_processor repeats the text: must have it once")


def _growth(step: Mapping[str, Any]) -> float:
    """How many times as long as before a text can be; Unicode's normal forms do not add up."""
    kind = step.get("type")
    if kind == "ByteLevel" and "trim_offsets" not in step:  # the normalizer
        return BYTES_OF_CHARACTER
    if kind == "Precompiled":
        return _longest_of_charsmap(step.get("precompiled_charsmap"))
    if kind != "Replace":
        return 1
    content, pattern = len(str(step.get("content", ""))), step.get("pattern")
    stated = pattern.get("String") if isinstance(pattern, dict) else None
    if isinstance(stated, str) and stated:
        return max(1.0, content / len(stated))
    return 1.0 + content  # a regular expression may match between any two characters


def _longest_of_charsmap(encoded: object) -> int:
    """Characters of the longest text in SentencePiece's map: a trie's size, the trie, the texts."""
    try:
        data = b64decode(encoded if isinstance(encoded, str) else "")
        (size,) = struct.unpack_from("<I", data)
    except (ValueError, struct.error):
        return 1  # the library will say what is wrong with it
    return max(len(text.decode(errors="replace")) for text in data[4 + size :].split(b"\0"))


def _times_repeated(step: Mapping[str, Any]) -> int:
    single = step.get("single")
    pieces = single if isinstance(single, list) else []
    return sum(isinstance(piece, dict) and "Sequence" in piece for piece in pieces)
