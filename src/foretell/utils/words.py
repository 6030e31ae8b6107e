"""Words of messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """The number with its noun: "1 token", "2 tokens"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
