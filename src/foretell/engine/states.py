"""States inside the model: asked for where a strategy looks at them, and handed to it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Items
from typing import NamedTuple

import numpy as np

from foretell.backends.base import States, StatesAsked
from foretell.engine.step_plan import Span


class _Place(NamedTuple):
    """A span whose strategy looks inside; its first token of the batch, and its row, if any."""

    span: Span
    token: int
    row: int | None

    @property
    def num_hidden(self) -> int:
        needed = self.span.state.strategy.states
        return self.span.stop - self.span.start if needed and needed.hidden else 0

    @property
    def layers(self) -> tuple[int, ...]:
        needed = self.span.state.strategy.states
        return needed.early_layers if needed and self.row is not None else ()


def _places(spans: Items[Span]) -> Iterator[_Place]:
    token = row = 0
    for span in spans:
        row += span.num_rows
        if span.state.strategy.states is not None:
            is_last = span.stop == len(span.sequence.tokens)
            yield _Place(span, token, row - 1 if is_last else None)
        token += span.stop - span.start + len(span.drafts)


def states_asked(spans: Items[Span]) -> StatesAsked | None:
    """What the strategies of a batch's spans look at; None if none does."""
    places = [*_places(spans)]
    if not places:
        return None
    hidden = [place.token + at for place in places for at in range(place.num_hidden)]
    early = [(place.row, layer) for place in places for layer in place.layers]
    return StatesAsked(np.array(hidden, np.int32), np.array(early, np.int32).reshape(-1, 2))


def hand_out(spans: Items[Span], states: States) -> None:
    """Let each strategy see what is its own."""
    hidden = early = 0
    for place in _places(spans):
        span, num_early = place.span, len(place.layers)
        span.state.strategy.see(
            span.sequence,
            span.start,
            states.hidden[hidden : hidden + place.num_hidden],
            states.early_logits[early : early + num_early],
        )
        span.state.num_seen = max(span.state.num_seen, span.stop - 1)
        hidden += place.num_hidden
        early += num_early
