"""Why this token: what each stage of the chain made of the distribution.

`Recorder` follows one row through the chain, and records the step in ids and numbers. Once few
tokens are possible only they are looked at. `TracedChain` gets the same record of a fusable chain
from one call in C++ (csrc/sampling/trace.h), which is several times as fast.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.fused.chain import FusedChain, likeliest, sum_up, trace
from foretell.decoding.fused.elementary import exp, log_of
from foretell.decoding.softmax import BLOCK, check_logits
from foretell.outputs import DrawTrace, StageTrace
from foretell.utils.arrays import Logits

if TYPE_CHECKING:
    from foretell.decoding.chain import Stage
    from foretell.decoding.processors.base import History

RAW = "raw"  # the name of stage 0: the model's own distribution
NUM_RUNNERS_UP = 5  # unless more alternatives are reported beside each token
NO_WEIGHT = -1e4  # exp of this is 0, and 0 times this is too
SPARSE = 4  # where at most one of this many tokens is possible, only possible ones are looked at


@dataclass(frozen=True)
class CandidateRecord:
    """What became of one token.

    `rank` counts from 1, the likeliest of the raw model. `logits` and `probabilities`
    have an entry for each stage; a logit is None where the token is ruled out. `removed_by` is the
    index of the stage that ruled it out for good, None if it could be drawn.
    """

    token_id: int
    rank: int
    logits: tuple[float | None, ...]
    probabilities: tuple[float, ...]
    removed_by: int | None = None


@dataclass(frozen=True)
class StepRecord:
    """One token's way through the chain, in ids and numbers.

    `stages` begins with the raw model. `chosen` is the token taken, `runners_up` are the likeliest
    others of the raw model and of the final distribution, in the raw model's order. `draw` is None
    where nothing was drawn (greedy).
    """

    stages: tuple[StageTrace, ...]
    chosen: CandidateRecord
    runners_up: tuple[CandidateRecord, ...]
    draw: DrawTrace | None = None


def num_runners_up(num_top: int | None) -> int:
    """How many others are followed where so many are reported beside each token."""
    return max(NUM_RUNNERS_UP, num_top or 0)


class Recorder:
    """Follows one row of logits: first as the model gave it, then after each stage.

    The row is only read. Where the model's own has NaN they count as ruled out, +inf as the largest
    number there is; later rows must have a finite maximum. Raises NumericalError where none counts.
    """

    def __init__(self, row: Logits, num_runners_up: int = NUM_RUNNERS_UP) -> None:
        self._num_runners_up = num_runners_up
        raw = _look(row)
        self._views = [raw]
        self._stages = [StageTrace(RAW, "", raw.num_candidates, 1.0, raw.entropy)]

    def after(self, stage: Stage, row: Logits) -> None:
        """Take note of the row that the stage has just processed."""
        before, view = self._views[-1], _look(row)
        mass = _mass_left(before, row, view)
        self._views.append(view)
        self._stages.append(
            StageTrace(stage.name, stage.setting, view.num_candidates, mass, view.entropy)
        )

    def finish(self, token_id: int, uniform: float | None) -> StepRecord:
        """The record of the step, once the token is taken, by the number drawn if there was one.

        It ends the recorder.
        """
        top = self._views[0].top(self._num_runners_up + 1)
        ids = self._ids_to_record(token_id, top)
        ranks = self._views[0].ranks_of(ids, top)
        chosen, *runners_up = _follow(ids, ranks, self._views)
        draw = None
        if uniform is not None:
            draw = DrawTrace(uniform, *self._views[-1].interval(token_id))
        by_rank = sorted(runners_up, key=lambda candidate: (candidate.rank, candidate.token_id))
        self._let_go()
        return StepRecord(tuple(self._stages), chosen, tuple(by_rank), draw)

    def _ids_to_record(self, token_id: int, top: NDArray[np.intp]) -> NDArray[np.intp]:
        """The chosen token first, then each runner-up once."""
        found = [token_id]
        for ids in (top, self._views[-1].top(self._num_runners_up + 1)):
            others = [other for other in ids.tolist() if other != token_id]
            found += others[: self._num_runners_up]
        return np.array(list(dict.fromkeys(found)), dtype=np.intp)

    def _let_go(self) -> None:
        _spare_rows.extend(view.logits for view in self._views if view.ids is None)
        self._views.clear()


# Rows that ended recorders have left. A fresh row's pages would cost as much as all the arithmetic.
_spare_rows: deque[Logits] = deque(maxlen=8)


def _copy(row: Logits) -> Logits:
    spare = _take_spare_row()
    if spare is None or len(spare) != len(row):
        return np.array(row)
    np.copyto(spare, row)
    return spare


def _take_spare_row() -> Logits | None:
    try:
        return _spare_rows.pop()
    except IndexError:
        return None


@dataclass(frozen=True, eq=False)
class _View:
    """A row as it was after a stage, and the sums that its distribution needs.

    `ids` are the possible tokens if those are few, and `logits` theirs; else `ids` is None and
    `logits` the whole row. `masses` are Σ exp(logit - offset) over each block of BLOCK logits, and
    `moment` is Σ (logit - offset) · exp(logit - offset) over all, `total` is the masses' sum.
    """

    ids: NDArray[np.intp] | None
    logits: Logits
    num_candidates: int
    offset: float
    masses: NDArray[np.float64]
    moment: float
    total: float

    @property
    def entropy(self) -> float:
        """-Σ p log p, in nats."""
        return max(0.0, log_of(self.total) - self.moment / self.total)

    def logits_of(self, ids: NDArray[np.intp]) -> Logits:
        """The logits of some tokens, -inf where they are ruled out."""
        if self.ids is None:
            return self.logits[ids]
        found = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[found] == ids, self.logits[found], np.float32(-np.inf))

    def share_of(self, logits: Logits) -> float:
        """The probability of tokens with these logits, together."""
        return min(1.0, float(_weigh(logits, self.offset)[1].sum()) / self.total)

    def top(self, count: int) -> NDArray[np.intp]:
        """The ids of the likeliest tokens; none that is ruled out."""
        found = likeliest(self.logits, count)
        return found if self.ids is None else self.ids[found]

    def interval(self, token_id: int) -> tuple[float, float]:
        """Between which sums of probability, by ascending ids, the token lies."""
        index = token_id if self.ids is None else int(np.searchsorted(self.ids, token_id))
        block = index // BLOCK
        weights = _weigh(self.logits[block * BLOCK : index + 1], self.offset)[1]
        start = float(self.masses[:block].sum() + weights[:-1].sum())
        return start / self.total, min(1.0, (start + float(weights[-1])) / self.total)

    def ranks_of(self, ids: NDArray[np.intp], top: NDArray[np.intp]) -> list[int]:
        """1 + how many tokens are likelier, for each of the ids; `top` are the likeliest of all."""
        best = self.logits_of(top)
        return [
            1 + int(np.count_nonzero((best if logit >= best[-1] else self.logits) > logit))
            for logit in self.logits_of(ids)
        ]


def _weigh(logits: Logits, offset: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """logits - offset in float64, NO_WEIGHT in place of -inf, and the exp of that."""
    shifted = logits.astype(np.float64)
    shifted -= offset
    np.maximum(shifted, NO_WEIGHT, out=shifted)
    return shifted, exp(shifted)


def _mend(row: Logits) -> Logits:
    mended = np.nan_to_num(row, nan=-np.inf, neginf=-np.inf)
    check_logits(mended)
    return mended


def _look(row: Logits) -> _View:
    """Sum up a row; the view keeps a copy of what it needs."""
    sums = sum_up(row, BLOCK)
    if math.isnan(sums.largest):
        return _look(_mend(row))
    ids = None
    if sums.num_possible * SPARSE <= len(row):
        few = sums.few_ids
        ids = np.array(few, dtype=np.intp) if few else np.flatnonzero(row > -np.inf)
        row = row[ids]
        sums = sum_up(row, BLOCK)
    logits = _copy(row) if ids is None else row
    masses = np.array(sums.masses)
    total = math.fsum(sums.masses)
    return _View(ids, logits, sums.num_possible, sums.largest, masses, sums.moment, total)


def _mass_left(before: _View, row: Logits, view: _View) -> float:
    """The share of the distribution `before` that the tokens possible in `row` had."""
    if before.ids is not None:
        kept = row[before.ids] > -np.inf
        return 1.0 if kept.all() else before.share_of(before.logits[kept])
    if view.ids is not None:
        return before.share_of(before.logits[view.ids])
    if view.num_candidates == len(row):
        return 1.0
    gone = before.logits[np.flatnonzero(row == -np.inf)]
    gone = gone[gone > -np.inf]
    return 1.0 - before.share_of(gone) if len(gone) else 1.0


class TracedChain:
    """The stages in C++ in one call that also records what a Recorder would.

    `whole` is the chain of all the stages.
    """

    def __init__(self, stages: Sequence[Stage], whole: FusedChain) -> None:
        self._names = [(RAW, ""), *((stage.name, stage.setting) for stage in stages)]
        self._whole = whole

    def choose(
        self,
        row: Logits,
        history: History,
        uniform: float | None,
        num_runners_up: int = NUM_RUNNERS_UP,
        *,
        isa: str | None = None,
    ) -> StepRecord:
        """Take or draw a token and record the step; the row is only read.

        `uniform` is None for a greedy chain. Raises NumericalError for a broken row.
        """
        self._whole.advance(history)
        found = trace(row, self._whole, uniform or 0.0, num_runners_up, isa=isa)
        stages = [
            StageTrace(name, setting, num_candidates, mass, entropy)
            for (name, setting), (num_candidates, mass, entropy) in zip(
                self._names, found.stages, strict=True
            )
        ]
        chosen, *others = [_candidate(*traced) for traced in found.tokens]
        draw = None if uniform is None else DrawTrace(uniform, found.low, found.high)
        return StepRecord(tuple(stages), chosen, tuple(others), draw)


def _follow(
    ids: NDArray[np.intp], ranks: Sequence[int], views: Sequence[_View]
) -> list[CandidateRecord]:
    """The tokens' logits and probabilities in every view."""
    logits = np.array([view.logits_of(ids) for view in views], dtype=np.float64)
    offsets = np.array([[view.offset] for view in views])
    totals = np.array([[view.total] for view in views])
    shares = np.minimum(exp(logits - offsets) / totals, 1.0)
    columns = zip(ids.tolist(), ranks, logits.T.tolist(), shares.T.tolist(), strict=True)
    return [_candidate(*column) for column in columns]


def _candidate(
    token_id: int, rank: int, logits: Sequence[float], odds: Sequence[float]
) -> CandidateRecord:
    return CandidateRecord(token_id, rank, _finite(logits), tuple(odds), _removed_by(logits))


def _finite(logits: Sequence[float]) -> tuple[float | None, ...]:
    return tuple(None if logit == -math.inf else logit for logit in logits)


def _removed_by(logits: Sequence[float]) -> int | None:
    """The first of the stages from which on the token is ruled out."""
    if logits[-1] > -math.inf:
        return None
    alive = [stage for stage, logit in enumerate(logits) if logit > -math.inf]
    return alive[-1] + 1 if alive else 0
