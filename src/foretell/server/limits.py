"""The bounds of what one request may ask for: they stand here alone.

What is larger could only do harm: it would take long, or its answer would be huge.
"""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Whole numbers that are allowed: from `low` to `high`."""

    low: int
    high: int

    def __str__(self) -> str:
        """As it is told to people."""
        return f"{self.low} to {self.high}"


TOP = Span(0, 20)  # alternatives beside each token
PRIORITY = Span(-(2**31), 2**31 - 1)

MAX_FIELDS = 512  # of a body
MAX_MESSAGES = 4096  # of a conversation
MAX_PROMPTS = 2048  # of a completion
MAX_CHOICES = 4096  # texts of a completion in all
MAX_SEQUENCES = 128  # `n`, and beams

MAX_STOPS = 32
MAX_TEXTS = 1024  # of another setting that is a list of texts
MAX_TEXT_CHARACTERS = 4096  # of each of these, and of each stop
MAX_CHARACTERS = 2**16  # of all texts of one of these together
MAX_BIASES = 2048
MAX_IDS = 2**18  # of any other list or object that is a setting

MAX_METADATA = 16
MAX_METADATA_NAME = 64  # characters
MAX_METADATA_TEXT = 512

NEXT_TOP = Span(1, 1000)  # likeliest tokens
EXPLAINED_TOKENS = 2048
TREE_BEAMS = 16
TREE_TOKENS = 256
MAX_STRATEGIES = 16  # side by side
STRATEGY_NAME = Span(1, 100)  # characters
STRATEGY_TOKENS = 1024
MAX_SEEDS = 8
ALTERNATIVES_TOP = Span(1, 50)
ALTERNATIVES_TOKENS = Span(1, 256)
POSITION = Span(0, 2**31 - 1)
