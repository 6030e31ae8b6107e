"""Marks in a text that comes piece by piece: the last piece may end in the middle of one."""

from __future__ import annotations


def overlap(text: str, mark: str) -> int:
    """How many characters at the text's end are the mark's first, the whole mark not counted."""
    longest = min(len(text), len(mark) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(mark[:size])), 0)
