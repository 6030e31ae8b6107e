"""Runs a search over the logits of a function, without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.strategies.base import StrategyContext
from foretell.outputs import StopReason

Rows = Callable[[list[list[int]]], Sequence[NDArray[np.float32]]]


@dataclass
class Line:
    """A live sequence."""

    tokens: list[int]
    num_prompt_tokens: int
    index: int = 0


def rules(prompt: Sequence[int], eos: Iterable[int], max_new_tokens: int) -> Any:
    """Stops at these ids, and at the length limit."""
    ends = {*eos}

    def check(history: Any) -> StopReason | None:
        if history.tokens[-1] in ends:
            return StopReason("eos", history.tokens[-1])
        if len(history.tokens) == len(prompt) + max_new_tokens:
            return StopReason("max_new_tokens", max_new_tokens)
        return None

    return check


def run_search(
    kind: Any,
    rows_after: Rows,
    prompt: Sequence[int],
    eos: Iterable[int],
    config: GenerationConfig,
    vocab_size: int,
    **arguments: Any,
) -> Any:
    """A search of this kind that has come to its end."""
    most = config.max_new_tokens or 0
    chain = ChainContext(vocab_size, frozenset(eos), len(prompt) + most)
    context = StrategyContext(chain, len(prompt), rules(prompt, eos, most))
    search = kind(config, context, **arguments)
    sequences = [[*prompt]]
    while not search.is_done:
        lines = [Line(tokens, len(prompt)) for tokens in sequences]
        survivors = search.step([row.copy() for row in rows_after(sequences)], lines)
        sequences = [[*sequences[one.parent], one.node.token_id] for one in survivors]
    return search


def texts_of(search: Any) -> list[tuple[list[int], float]]:
    """The hypotheses, best first: generated tokens and score."""
    return [([node.token_id for node in one.node.path()], one.score) for one in search.hypotheses]
