"""Looking at the logits after a prompt, without a token."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import Choices, Strategy
from foretell.errors import RequestError
from foretell.utils.arrays import Logits


class LogitsProbe(Strategy):
    """Looks at the logits after the prompt and generates nothing.

    Attributes:
        row: a copy of the last logits row seen, `(vocab_size,)`; None before the first.
    """

    generates = False

    def __init__(self) -> None:
        self.row: Logits | None = None

    @staticmethod
    def num_sequences(config: GenerationConfig) -> int:
        """The prompt's."""
        return 1

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
        """Keep the row; no choice, so the sequence ends."""
        self.row = rows[-1].copy()
        return Choices([])

    def require_row(self) -> Logits:
        """The row seen; RequestError before there was one."""
        if self.row is None:
            raise RequestError("no logits were seen: the request has not run")
        return self.row
