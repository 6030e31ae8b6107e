"""Strategies: what the sequences of one request do next (row 5 of the design).

A strategy is given the logits rows of its request's live sequences and answers with choices
`(parent, token)`. The first child of a parent goes on in place, a parent without children is freed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from foretell.config import GenerationConfig
from foretell.decoding.arrays import Logits
from foretell.decoding.chain import chain
from foretell.decoding.logprobs import TokenReport, report
from foretell.decoding.mass import check_logits
from foretell.decoding.philox import uniform
from foretell.decoding.processors.base import History
from foretell.decoding.sampler import draw, greedy
from foretell.errors import ConfigError, RequestError
from foretell.outputs import LogprobStage


@dataclass(frozen=True)
class Choice:
    """One token that goes on from a live sequence.

    `parent` is the sequence's place among the rows. `reports` has the log-probabilities at each
    stage that the request asked for.
    """

    parent: int
    token_id: int
    reports: Mapping[LogprobStage, TokenReport] = field(default_factory=dict)


class Strategy(Protocol):
    """Decides, step by step, what the sequences of one request do."""

    @property
    def generates(self) -> bool:
        """Whether it ever answers with a choice, so that sequences grow."""
        ...

    def choose(self, rows: Logits, histories: Sequence[History]) -> list[Choice]:
        """Answer for `(live, vocab_size)` rows, which are the strategy's to overwrite."""
        ...


class OneToken:
    """Greedy decoding, or sampling through the settings' processors: one token a sequence."""

    generates = True

    def __init__(self, config: GenerationConfig) -> None:
        if config.samples and config.seed is None:
            raise ConfigError("seed=None cannot sample: must be an integer (see with_seed)")
        self._config = config
        self._chain = chain(config)

    def choose(self, rows: Logits, histories: Sequence[History]) -> list[Choice]:
        """One choice for each row; the row is overwritten where the chain changes it."""
        pairs = enumerate(zip(rows, histories, strict=True))
        return [self._choose_one(parent, row, history) for parent, (row, history) in pairs]

    def _choose_one(self, parent: int, row: Logits, history: History) -> Choice:
        raw = row.copy() if self._config.logprobs is not None and self._chain else row
        token = self._token(row, history)
        if self._config.logprobs is None:
            return Choice(parent, token)
        return Choice(parent, token, {"raw": report(raw, token, self._config.logprobs)})

    def _token(self, row: Logits, history: History) -> int:
        if self._config.seed is None or not self._config.samples:
            return greedy(row)
        check_logits(row)
        for processor in self._chain:
            processor(row, history)
        return draw(row, uniform(self._config.seed, history.index, len(history.tokens)))


class Observe:
    """Looks at the logits after the prompt and generates nothing.

    Attributes:
        row: a copy of the last logits row seen, `(vocab_size,)`; None before the first.
    """

    generates = False

    def __init__(self) -> None:
        self.row: Logits | None = None

    def choose(self, rows: Logits, histories: Sequence[History]) -> list[Choice]:
        """Keep the row; no choice, so the sequence ends."""
        self.row = rows[-1].copy()
        return []

    def require_row(self) -> Logits:
        """The row seen; RequestError before there was one."""
        if self.row is None:
            raise RequestError("no logits were seen: the request has not run")
        return self.row
