"""Holds a strategy's answer to what a request can go on with.

It is checked before anything is done with it: a wrong one ends its own request only.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Items
from typing import Any

import numpy as np

from foretell.decoding.fused.chain import FusedChain
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    Draw,
    SampleToken,
    Strategy,
)
from foretell.utils.quoting import quote


def check_answer(
    answer: object, strategy: Strategy, num_rows: int, vocab_size: int, num_sequences: int
) -> None:
    """Raise ValueError, which names the strategy, if its answer is wrong.

    It may go on with `num_sequences` at most: so many have a place in the batch.
    """
    if not isinstance(answer, list):
        _check_choices(answer, strategy, num_rows, vocab_size, num_sequences)
        return
    # In line: each token comes by here.
    if len(answer) != num_rows:
        raise _error(strategy, f"{len(answer)} draws: must have one for each of {num_rows}")
    for draw in answer:
        if not (isinstance(draw, Draw) and isinstance(draw.chain, FusedChain)):
            raise _error(strategy, f"{quote(draw)} in a list: must be a Draw with its chain")
        if draw.chain.vocab_size != vocab_size:
            found = f"a Draw for {draw.chain.vocab_size} tokens"
            raise _error(strategy, f"{found}: must be for the vocabulary of {vocab_size}")
        if not 0 <= draw.uniform < 1:
            raise _error(strategy, f"a Draw at {quote(draw.uniform)}: must be in [0, 1)")


def check_each(answer: Choices | list[Draw], strategy: Strategy, num_rows: int) -> None:
    """Raise ValueError unless the answer to rows behind drafts is a choice for each, in order."""
    if isinstance(answer, Choices):
        parents = [int(choice.parent) for choice in answer.choices]
        if parents != [*range(num_rows)]:
            found = f"the parents {parents} behind drafts"
            raise _error(strategy, f"{found}: must be {[*range(num_rows)]}, as it verifies")


def _check_choices(
    answer: object, strategy: Strategy, num_rows: int, vocab_size: int, num_sequences: int
) -> None:
    if not (isinstance(answer, Choices) and _are_all(Choice, answer.choices)):
        raise _error(
            strategy, f"{quote(answer)}: must be Choices, or a list of a Draw for each row"
        )
    if len(answer.choices) > num_sequences:
        found = f"{len(answer.choices)} choices"
        raise _error(strategy, f"{found}: must be {num_sequences} at most, its num_sequences")
    for choice in answer.choices:
        if not _is_below(num_rows, choice.parent):
            raise _error(
                strategy, f"the parent {quote(choice.parent)}: must be 0 to {num_rows - 1}"
            )
        if not choice.tokens:
            raise _error(strategy, "a choice that has no tokens: must have one")
        _check_tokens(choice.tokens, strategy, vocab_size)
    if not _are_all(SampleToken, answer.emitted):
        raise _error(strategy, f"{quote(answer.emitted)} emitted: must be SampleTokens")
    _check_tokens([emitted.token for emitted in answer.emitted], strategy, vocab_size)


def _check_tokens(tokens: Iterable[object], strategy: Strategy, vocab_size: int) -> None:
    for token in tokens:
        if not (isinstance(token, ChosenToken) and _is_below(vocab_size, token.token_id)):
            raise _error(
                strategy, f"{quote(token)}: must be a ChosenToken of 0 to {vocab_size - 1}"
            )


def _are_all(kind: type, items: Any) -> bool:
    return isinstance(items, Items) and all(isinstance(item, kind) for item in items)


def _is_below(end: int, number: object) -> bool:
    return isinstance(number, (int, np.integer)) and 0 <= int(number) < end


def _error(strategy: Strategy, what: str) -> ValueError:
    return ValueError(f"the strategy {type(strategy).__name__} answered with {what}")
