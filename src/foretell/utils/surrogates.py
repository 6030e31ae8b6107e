"""Texts that are no Unicode: they hold the half of a character."""

from __future__ import annotations


def has_surrogate(text: str) -> bool:
    """Whether the text holds a lone surrogate, which no UTF-8 can spell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
