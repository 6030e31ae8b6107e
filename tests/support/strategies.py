"""Asking a strategy for choices, without an engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretell.decoding.fused.chain import choose
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import Choice, Choices, Strategy
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.errors import NumericalError
from foretell.utils.arrays import Logits


def answer_of(strategy: Strategy, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
    """What it goes on with; tokens that C++ may draw are also chosen stage by stage, and equal."""
    copies = [row.copy() for row in rows]
    answer = strategy.step(rows, histories)
    if isinstance(answer, Choices):
        return answer
    assert isinstance(strategy, SamplingStrategy)
    chains, uniforms = [draw.chain for draw in answer], [draw.uniform for draw in answer]
    drawn = choose(np.stack(rows), range(len(rows)), chains, uniforms)
    choices = []
    for parent, (draw, token_id) in enumerate(zip(answer, drawn, strict=True)):
        if isinstance(token_id, NumericalError):
            raise token_id
        row, history = copies[parent], histories[parent]
        token = strategy.choose(row, history, strategy.stages(history))
        assert draw.token(token_id) == token
        choices.append(Choice(parent, (token,)))
    return Choices(choices)
