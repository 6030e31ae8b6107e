"""What a processor is: logits → logits, in place.

One contract: `processor(row, history)` writes in place into a float32 row that it owns, and returns
nothing. A token that is ruled out gets -inf. A row that comes in has a finite maximum, and so has
the row that goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from foretell.utils.arrays import Logits


class History(Protocol):
    """What a processor or a strategy may know of a sequence: its ids, and its index."""

    @property
    def index(self) -> int:
        """Which of its request's sequences this is, from 0."""
        ...

    @property
    def tokens(self) -> Sequence[int]:
        """Ids of the prompt and of all that was generated."""
        ...

    @property
    def num_prompt_tokens(self) -> int:
        """How many of the ids are the prompt's."""
        ...


class Processor(Protocol):
    """Maps logits to logits, in place."""

    def __call__(self, row: Logits, history: History) -> None:
        """Overwrite `row`, `(vocab_size,)` float32."""
        ...


@runtime_checkable
class Adaptive(Protocol):
    """A processor that learns from what was drawn, such as mirostat: one object per sequence."""

    def __call__(self, row: Logits, history: History) -> None:
        """Overwrite `row`, `(vocab_size,)` float32."""
        ...

    def accept(self, token_id: int) -> None:
        """Take note of the token that was drawn from the row last processed."""
        ...
