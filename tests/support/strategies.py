"""Asking a strategy for choices, without an engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretell.decoding.fused.chain import choose
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import Choices, Draws, Strategy
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.utils.arrays import Logits


def answer_of(strategy: Strategy, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
    """What it goes on with; tokens that C++ may draw are also chosen stage by stage, and equal."""
    copies = [row.copy() for row in rows]
    answer = strategy.step(rows, histories)
    if not isinstance(answer, Draws):
        return answer
    table, draws = np.stack(rows), answer.draws
    drawn = choose(
        table,
        range(len(rows)),
        [draw.chain for draw in draws],
        [draw.uniform for draw in draws],
    )
    answer = answer.choices(drawn)
    assert isinstance(strategy, SamplingStrategy)
    for choice, row, history in zip(answer.choices, copies, histories, strict=True):
        token = strategy.choose(row, history, strategy.stages(history))
        assert choice.tokens == (token,)
    return answer
