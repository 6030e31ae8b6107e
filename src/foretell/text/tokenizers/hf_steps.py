"""The steps that a part of a `tokenizer.json` is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SEQUENCES = ("normalizers", "pretokenizers", "processors", "decoders")
"""Where a step that is a sequence of others has these."""


def steps_of(part: object) -> Iterator[dict[str, Any]]:
    """The steps of a part, sequences and what is inside them; none where there is no part."""
    if not isinstance(part, dict):
        return
    yield part
    for name in SEQUENCES:
        inner = part.get(name)
        for step in inner if isinstance(inner, list) else []:
            yield from steps_of(step)
