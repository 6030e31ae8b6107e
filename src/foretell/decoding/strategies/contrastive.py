"""Contrastive search (Su et al. 2022, arXiv 2202.06417): likely, and unlike what was written.

Each step computes one more token behind each of the likeliest few, and goes on with the one that is
best by (1 - alpha) · p - alpha · s, where s is the largest cosine between its last hidden state and
those of all tokens before it. The others' sequences are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage, build_chain
from foretell.decoding.fused.chain import likeliest, sum_up
from foretell.decoding.fused.elementary import exp, largest_products, log_of
from foretell.decoding.processors.base import History
from foretell.decoding.softmax import BLOCK, check_logits
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    ConfiguredStrategy,
    SampleToken,
    StatesNeeded,
    StrategyContext,
)
from foretell.decoding.strategies.sampling import LogprobRecorder
from foretell.utils.arrays import Logits

Vectors = NDArray[np.float32]


class ContrastiveStrategy(ConfiguredStrategy):
    """Contrastive search: its sequences are candidates for one token, of which one stays."""

    emits = True
    counted_by = "top_k"
    needs_states = "penalty_alpha"
    states = StatesNeeded(hidden=True)

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        self._config = config
        self._alpha = config.penalty_alpha or 0.0
        self._stages = build_chain(config, context.chain)
        self._check_stop = context.check_stop
        self._past = _Directions()
        self._latest: dict[int, Vectors] = {}  # of each candidate, by its sequence's index
        self._candidates: _Candidates | None = None

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """With a penalty on likeness."""
        return bool(config.penalty_alpha)

    @staticmethod
    def num_sequences(config: GenerationConfig) -> int:
        """One a candidate."""
        return config.top_k or 1

    def see(self, history: History, start: int, hidden: Logits, early: Logits) -> None:
        """Keep the directions of the prompt's new positions, or a candidate's state."""
        new = hidden[max(0, len(self._past) - start) :]
        num_prompt = max(0, history.num_prompt_tokens - len(self._past))
        if num_prompt:
            self._past.add(_directions(new[:num_prompt]))
        if len(new) > num_prompt:
            self._latest[history.index] = new[-1].copy()

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
        """Choose among the candidates, and propose the next ones behind the one chosen."""
        best, emitted = 0, []
        if self._candidates is not None:
            latest = [self._latest[history.index] for history in histories]
            directions = _directions(np.stack(latest))
            best, token = self._candidates.choose(self._past.likeness(directions))
            reason = self._check_stop(histories[best])
            emitted.append(SampleToken(0, token, reason))
            if reason is not None:
                return Choices([], emitted)
            self._past.add(directions[best : best + 1])
        self._latest.clear()
        self._candidates = self._propose(rows[best], histories[best])
        ids = self._candidates.token_ids.tolist()
        return Choices([Choice(best, (ChosenToken(token_id),)) for token_id in ids], emitted)

    def _propose(self, row: Logits, history: History) -> _Candidates:
        """The likeliest tokens of a row, as the settings' processors leave it."""
        recorder = LogprobRecorder(self._config, row)
        if self._stages and not self._config.remove_invalid_values:
            check_logits(row)
        for stage in self._stages:
            stage.processor(row, history)
            recorder.after(stage, row)
        recorder.processed(row)
        return _Candidates(row, self._config, recorder)


class _Candidates:
    """The likeliest tokens of a row, and what it takes to choose one of them.

    Attributes:
        token_ids: likeliest first; none that is ruled out.
    """

    def __init__(self, row: Logits, config: GenerationConfig, recorder: LogprobRecorder) -> None:
        sums = sum_up(row, BLOCK)
        if math.isnan(sums.largest):
            check_logits(row)
        self.token_ids = likeliest(row, config.top_k or 1)
        normalizer = sums.largest + log_of(math.fsum(sums.masses))
        self._odds = exp(row[self.token_ids].astype(np.float64) - normalizer)
        self._alpha = config.penalty_alpha or 0.0
        self._size = len(row)
        self._recorder = recorder
        self._is_told = config.trace or "final" in config.logprobs_stage

    def choose(self, likeness: NDArray[np.float64]) -> tuple[int, ChosenToken]:
        """The number of the best candidate, and its token; of equals the likelier."""
        scores = (1 - self._alpha) * self._odds - self._alpha * likeness
        best = int(np.argmax(scores))
        token_id = int(self.token_ids[best])
        row = np.full(self._size if self._is_told else 0, -np.inf, dtype=np.float32)
        if self._is_told:
            row[self.token_ids] = scores
            self._recorder.after(Stage("penalty_alpha", f"{self._alpha:g}", _done, False), row)
        return best, self._recorder.token(row, token_id, None)


def _done(row: Logits, history: History) -> None:
    """What the stage would do is done."""


class _Directions:
    """Hidden states of length 1, one a position; room for more is kept."""

    def __init__(self) -> None:
        self._vectors: Vectors = np.empty((0, 0), dtype=np.float32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, vectors: Vectors) -> None:
        """Put these behind the others."""
        if not len(vectors):
            return
        start, self._count = self._count, self._count + len(vectors)
        if self._count > len(self._vectors):
            larger = np.empty((2 * self._count, vectors.shape[1]), dtype=np.float32)
            if start:
                larger[:start] = self._vectors[:start]
            self._vectors = larger
        self._vectors[start : self._count] = vectors

    def likeness(self, others: Vectors) -> NDArray[np.float64]:
        """The largest cosine of each of the others with any of these."""
        return largest_products(self._vectors[: self._count], others).astype(np.float64)


def _directions(states: Vectors) -> Vectors:
    lengths = np.sqrt(np.square(states, dtype=np.float64).sum(axis=1))
    directions: Vectors = (states / np.maximum(lengths, 1e-30)[:, None]).astype(np.float32)
    return directions
