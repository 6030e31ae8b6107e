"""What the settings of a search come to."""

from __future__ import annotations


def texts_held(num_beams: int, patience: float | None) -> int:
    """How many finished texts so many beams hold."""
    return num_beams if patience is None else max(1, round(num_beams * patience))
