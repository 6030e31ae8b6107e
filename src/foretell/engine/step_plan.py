"""What one step copies and computes."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import NamedTuple

from foretell.engine.request_state import RequestState
from foretell.engine.sequence import Sequence


class Span(NamedTuple):
    """Tokens `start:stop` of one of a request's sequences, to be computed in one step.

    `drafts` are computed behind them, though nobody has drawn them yet. `num_rows` counts the
    positions, from the end, whose logits are asked for; with `is_reported` log-probabilities of the
    prompt are reported from them.
    """

    state: RequestState
    sequence: Sequence
    start: int
    stop: int
    num_rows: int
    is_reported: bool
    drafts: Items[int] = ()


@dataclass
class StepPlan:
    """One step: first blocks are copied, (source, destination), then the spans are computed.

    `has_drafts` if any span has.
    """

    copies: list[tuple[int, int]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    has_drafts: bool = False
