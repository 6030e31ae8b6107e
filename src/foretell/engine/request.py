"""A request: what the user asked for, and the sequences that it owns."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

from foretell.backends.base import BackendInfo, Logits
from foretell.config import GenerationConfig
from foretell.decoding.beam_strategy import BeamStrategy
from foretell.decoding.beams import Watch
from foretell.decoding.context import Breakers, ChainContext
from foretell.decoding.processors.base import History
from foretell.decoding.stopping import StopRules
from foretell.decoding.strategies import GuidedStrategy, SamplingStrategy, Strategy
from foretell.engine.sequence import Sequence
from foretell.errors import RequestError
from foretell.outputs import StopReason


@dataclass(frozen=True)
class Request:
    """A prompt in ids and what is to be done with it.

    Attributes:
        prompt: token ids, at least one.
        config: the settings in force; sampling needs a seed (`GenerationConfig.with_seed`).
        eos_token_ids: ids that end the sequence, unless the settings ignore them.
        strategy: None for the one that the settings ask for.
        prompt_logprobs: report the log-probability of each prompt token but the first, with this
            many alternatives; None reports none.
        negative_prompt: ids that classifier-free guidance pulls away from; they take a second
            sequence.
        dry_breakers: where DRY stops looking back.
        ends_text: from generated ids to why the text that they make ends with the last one, if it
            does; for beams, whose texts are not written down until they are certain.
        priority: requests with a lower number run earlier; among equals, those that came earlier.
        watch_beams: is told of each step of a beam search, if given.
    """

    prompt: Items[int]
    config: GenerationConfig = field(default_factory=GenerationConfig)
    eos_token_ids: frozenset[int] = frozenset()
    strategy: Strategy | None = None
    prompt_logprobs: int | None = None
    negative_prompt: Items[int] | None = None
    dry_breakers: Breakers = field(default_factory=dict)
    ends_text: Callable[[Items[int]], StopReason | None] | None = None
    priority: int = 0
    watch_beams: Watch | None = None

    @property
    def generates(self) -> bool:
        """Whether tokens may follow the prompt."""
        return self.strategy is None or self.strategy.generates

    @property
    def num_samples(self) -> int:
        """How many continuations of the prompt are asked for."""
        return self.config.num_return_sequences if self.generates else 1

    @property
    def num_sequences(self) -> int:
        """Sequences that it comes to have: the user's, and as many of the negative prompt."""
        if self.generates and self.config.num_beams > 1:
            return self.config.num_beams
        return self.num_samples * (1 if self.negative_prompt is None else 2)

    @property
    def limit(self) -> int | None:
        """Positions that the settings allow the user's sequence; None if they set no limit."""
        limits = [self.config.max_length or math.inf]
        if self.config.max_new_tokens is not None:
            limits.append(len(self.prompt) + self.config.max_new_tokens)
        return None if min(limits) == math.inf else int(min(limits))

    @property
    def min_length(self) -> int:
        """Positions without which the request is not what was asked for."""
        if not self.generates:
            return len(self.prompt)
        return len(self.prompt) + 1 if self.limit is None else self.limit

    def max_length(self, info: BackendInfo) -> int:
        """Positions that the user's sequence may come to take."""
        if not self.generates or self.limit is not None:
            return self.min_length
        return min(info.context_length - self._lead, self._pool_length(info))

    def _pool_length(self, info: BackendInfo) -> int:
        """Positions of the user's sequence for which the pool has blocks, for all samples."""
        size, prompts = info.block_size, [self.prompt, self.negative_prompt or ()]
        shared = sum(len(prompt) // size for prompt in prompts)  # the prompts' full blocks
        blocks = (info.num_blocks - shared) // self.num_sequences  # each sequence's own
        return min(
            (len(prompt) // size + blocks) * size - len(prompt) for prompt in prompts if prompt
        ) + len(self.prompt)

    @property
    def _lead(self) -> int:
        """How much longer the negative prompt is than the prompt."""
        return max(0, len(self.negative_prompt or ()) - len(self.prompt))

    def context(self, vocab_size: int, max_length: int | None = None) -> ChainContext:
        """What the chain of its processors must know; `max_length` where the length is limited."""
        return ChainContext(vocab_size, self.eos_token_ids, max_length, self.dry_breakers)

    def check(self, info: BackendInfo) -> None:
        """Raise RequestError if no state of this backend could run the request."""
        _check_ids("prompt", self.prompt, info.vocab_size)
        if self.negative_prompt is not None:
            _check_ids("negative prompt", self.negative_prompt, info.vocab_size)
        if self.generates and self.limit is not None and self.limit <= len(self.prompt):
            raise RequestError(
                f"max_length={self.config.max_length} leaves nothing to generate: "
                f"the prompt has {len(self.prompt)} tokens already"
            )
        self._check_length("the context has", info.context_length - self._lead)
        shared = f" for each of {self.num_sequences} sequences" if self.num_sequences > 1 else ""
        self._check_length(f"the KV pool{shared} has", self._pool_length(info))

    def check_running(self, max_running: int) -> None:
        """Raise RequestError if it has more sequences than may run at once."""
        if self.num_sequences > max_running:
            beams = self.config.num_beams
            asked = (
                f"num_beams={beams}" if beams > 1 else f"num_return_sequences={self.num_samples}"
            )
            raise RequestError(
                f"{asked} takes {self.num_sequences} sequences, "
                f"but no more than {max_running} can run at once"
            )

    def _check_length(self, place: str, room: int) -> None:
        if self.min_length <= room:
            return
        asked = f"a prompt of {len(self.prompt)} tokens"
        if self.generates and self.config.max_new_tokens is not None:
            asked += f" and max_new_tokens={self.config.max_new_tokens}"
        elif self.generates:
            asked += " and a token to generate"
        raise RequestError(f"{asked}: {self.min_length} positions, but {place} {max(0, room)}")


class RequestState:
    """A request under way.

    Attributes:
        id: the engine's number for it.
        request: what was asked for.
        strategy: decides what its sequences do.
        live: the sequences that go on, each beside the negative prompt's where there is one.
        open_samples: numbers of the samples that have not ended.
        told_samples: numbers of those of which a token was reported.
        stop_rules: when a sequence has ended.
        num_reported: prompt positions whose log-probabilities were told.
        cached_tokens: prompt tokens that were found already computed.
    """

    def __init__(self, request_id: int, request: Request, info: BackendInfo) -> None:
        self.id = request_id
        self.request = request
        self.live = [Sequence(0, request.prompt)]
        if request.negative_prompt is not None:
            self.live.append(Sequence(0, request.negative_prompt, is_visible=False))
        self.open_samples = set(range(request.num_samples))
        self.told_samples: set[int] = set()
        max_length = request.max_length(info)
        self.stop_rules = StopRules(request.config, request.eos_token_ids, max_length)
        context = request.context(info.vocab_size, max_length)
        self.strategy = request.strategy or _strategy(request, context, self.stop_rules)
        self.num_reported = 0
        self.cached_tokens = 0
        self._has_begun = False
        self._rows: dict[Sequence, Logits] = {}

    @property
    def rank(self) -> tuple[int, int]:
        """The lower, the earlier it runs and the later it makes way."""
        return self.request.priority, self.id

    @property
    def num_sequences(self) -> int:
        """Sequences that it has or is about to have."""
        return len(self.live) if self._has_begun else self.request.num_sequences

    def wants_prompt_rows(self, sequence: Sequence) -> bool:
        """Whether the logits at prompt positions are still to be told."""
        asked = self.request.prompt_logprobs is not None and sequence.is_visible
        return asked and self.num_reported < sequence.num_prompt_tokens

    def collect(self, arrived: Mapping[Sequence, Logits]) -> list[Logits] | None:
        """Take some sequences' rows; give those of all, in order, once all are there.

        The rows given may be the step's own.
        """
        if len(arrived) == len(self.live):
            self._has_begun = True
            return [arrived[sequence] for sequence in self.live]
        self._rows.update({sequence: row.copy() for sequence, row in arrived.items()})
        if len(self._rows) < len(self.live):
            return None
        rows = [self._rows[sequence] for sequence in self.live]
        self._rows.clear()
        self._has_begun = True
        return rows

    def grow(self, children: Items[Sequence]) -> None:
        """Go on with these sequences."""
        self.live = [*children]

    def leave(self, indices: Container[int]) -> list[Sequence]:
        """Go on without some samples; gives their sequences.

        Before its first choice a request has no sequences of single samples, only all samples'; a
        search never has.
        """
        if not self._has_begun or self.strategy.speaks:
            return []
        gone = [sequence for sequence in self.live if sequence.index in indices]
        self.live = [sequence for sequence in self.live if sequence.index not in indices]
        for sequence in gone:
            self._rows.pop(sequence, None)
        self._wake()
        return gone

    def _wake(self) -> None:
        """Where no row is missing any more, compute one again: it lets the strategy choose."""
        if self.live and len(self._rows) == len(self.live):
            last = self.live[-1]
            last.num_computed -= 1
            del self._rows[last]

    def make_way(self) -> None:
        """Forget rows that wait for others: all is to be computed anew."""
        self._rows.clear()


def _strategy(request: Request, context: ChainContext, rules: StopRules) -> Strategy:
    if request.config.num_beams > 1:
        return _beams(request, context, rules)
    kind = SamplingStrategy if request.negative_prompt is None else GuidedStrategy
    return kind(request.config, context)


def _beams(request: Request, context: ChainContext, rules: StopRules) -> BeamStrategy:
    num_prompt_tokens = len(request.prompt)

    def check(history: History) -> StopReason | None:
        reason = rules.check(history)
        if (reason is not None and reason.finish_reason == "stop") or request.ends_text is None:
            return reason
        return request.ends_text(history.tokens[num_prompt_tokens:]) or reason

    most = (context.max_length or 0) - num_prompt_tokens
    return BeamStrategy(request.config, context, check, most, request.watch_beams)


def _check_ids(name: str, ids: Items[int], vocab_size: int) -> None:
    if not ids:
        raise RequestError(f"the {name} has no tokens: must have at least one")
    for place in (ids.index(min(ids)), ids.index(max(ids))):
        if not 0 <= ids[place] < vocab_size:
            raise RequestError(
                f"{name} token {ids[place]} at position {place} is out of range: "
                f"must be 0 to {vocab_size - 1}"
            )
