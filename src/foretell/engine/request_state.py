"""A request under way, and the sequences that it owns."""

from __future__ import annotations

from collections.abc import Container, Mapping
from collections.abc import Sequence as Items
from typing import NamedTuple

import numpy as np

from foretell.backends.base import BackendInfo
from foretell.decoding.processors.base import History
from foretell.decoding.stopping import StopRules
from foretell.decoding.strategies.base import (
    ConfiguredStrategy,
    StopCheck,
    Strategy,
    StrategyContext,
)
from foretell.engine.request import Request
from foretell.engine.sequence import Sequence
from foretell.grammar.matcher import Matchers
from foretell.outputs import StopReason
from foretell.utils.arrays import Logits


class Rows(NamedTuple):
    """Logits of some live sequences of a request, in their order: these rows of a table."""

    table: Logits
    indices: Items[int]
    sequences: Items[Sequence]


class RequestState:
    """A request under way.

    Attributes:
        id: the engine's number for it.
        request: what was asked for.
        strategy: decides what its sequences do.
        live: the sequences that go on, each beside the negative prompt's where there is one.
        open_samples: numbers of the samples that have not ended.
        started_samples: numbers of those of which a token was reported.
        stop_rules: when a sequence has ended.
        max_length: positions that the user's sequence may come to take.
        speculation_off: why nothing is guessed of it; None where that may be.
        looks_at_prompt: whether logits behind the prompt's own tokens are asked for at all.
        num_reported: prompt positions whose logits were reported, or are not wanted.
        num_seen: positions whose hidden states the strategy has seen, where it looks at them.
        cached_tokens: prompt tokens that were found already computed.
        begun: when it first had blocks; None before.
    """

    def __init__(self, request_id: int, request: Request, info: BackendInfo) -> None:
        self.id = request_id
        self.request = request
        self.live = [Sequence(0, request.prompt)]
        if request.negative_prompt is not None:
            self.live.append(Sequence(0, request.negative_prompt, is_visible=False))
        self.open_samples = set(range(request.num_samples))
        self.started_samples: set[int] = set()
        self.max_length = request.max_length(info)
        matchers = None if request.grammar is None else request.matchers()
        self.stop_rules = StopRules(
            request.config, request.eos_token_ids, self.max_length, matchers
        )
        self.speculation_off: str | None = None
        self.strategy = make_strategy(request, info, matchers)
        self.looks_at_prompt = (
            request.prompt_logprobs is not None or request.prompt_rows is not None
        )
        self.num_reported = 0 if request.prompt_rows is None else request.prompt_rows.first
        self.num_seen = 0
        self.cached_tokens = 0
        self.begun: float | None = None
        self._has_begun = False
        self._rows: dict[Sequence, Logits] = {}

    @property
    def rank(self) -> tuple[int, int]:
        """The lower, the earlier it runs and the later it is preempted."""
        return self.request.priority, self.id

    @property
    def num_sequences(self) -> int:
        """Sequences that it has or may come to have: a search has fewer beams for a while."""
        may_fork = not self._has_begun or self.strategy.emits
        return self.request.num_sequences if may_fork else len(self.live)

    def wants_prompt_rows(self, sequence: Sequence) -> bool:
        """Whether the logits at prompt positions are still to be reported."""
        asked = self.looks_at_prompt and sequence.is_visible
        return asked and self.num_reported < sequence.num_prompt_tokens

    def collect(self, logits: Logits, arrived: Mapping[Sequence, int]) -> Rows | None:
        """Take the step's rows of some sequences; give those of all, once all are there.

        Rows that must wait for others are copied: the step's own are overwritten by the next.
        """
        if len(arrived) == len(self.live):
            self._has_begun = True
            return Rows(logits, [arrived[sequence] for sequence in self.live], self.live)
        self._rows.update({sequence: logits[row].copy() for sequence, row in arrived.items()})
        if len(self._rows) < len(self.live):
            return None
        table = np.stack([self._rows[sequence] for sequence in self.live])
        self._rows.clear()
        self._has_begun = True
        return Rows(table, range(len(table)), self.live)

    def goes_on(self, sequence: Sequence) -> bool:
        """Whether a sequence is still to grow."""
        return sequence.index in self.open_samples and sequence in self.live

    def leave(self, indices: Container[int]) -> list[Sequence]:
        """Go on without some samples; gives their sequences.

        Before its first choice a request has no sequences of single samples, only all samples'; a
        search never has.
        """
        if not self._has_begun or self.strategy.emits:
            return []
        gone = [sequence for sequence in self.live if sequence.index in indices]
        self.live = [sequence for sequence in self.live if sequence.index not in indices]
        for sequence in gone:
            self._rows.pop(sequence, None)
        return gone

    def wake(self) -> Sequence | None:
        """Where no row is missing any more, whose to compute again: it lets the strategy choose."""
        may_wait = self._has_begun and not self.strategy.emits and self.live
        if not may_wait or len(self._rows) < len(self.live):
            return None
        last = self.live[-1]
        del self._rows[last]
        return last

    def preempt(self) -> None:
        """Forget rows that wait for others: all is to be computed anew."""
        self._rows.clear()


def make_strategy(
    request: Request,
    info: BackendInfo,
    matchers: Matchers | None = None,
    kind: type[ConfiguredStrategy] | None = None,
) -> Strategy:
    """The request's strategy, or a new one that its settings ask for, or of another `kind`.

    `matchers` are those of its stop rules, which need not be brought up to a text twice.
    """
    found = kind or request.strategy_kind
    if not isinstance(found, type):
        return found
    context = StrategyContext(
        request.context(info.vocab_size, request.max_length(info), matchers),
        len(request.prompt),
        _stop_check(request, _stop_rules(request, info, matchers)),
        request.on_step,
        info.num_layers,
        info.ties_embeddings,
    )
    return found(request.config, context)


def _stop_rules(request: Request, info: BackendInfo, matchers: Matchers | None) -> StopRules:
    return StopRules(request.config, request.eos_token_ids, request.max_length(info), matchers)


def _stop_check(request: Request, rules: StopRules) -> StopCheck:
    """Stops by ids go before those of the text, and limits come last."""
    ends_text, num_prompt_tokens = request.ends_text, len(request.prompt)
    if ends_text is None:
        return rules.check

    def check(history: History) -> StopReason | None:
        reason = rules.check(history)
        if reason is not None and reason.finish_reason == "stop":
            return reason
        return ends_text(history.tokens[num_prompt_tokens:]) or reason

    return check
