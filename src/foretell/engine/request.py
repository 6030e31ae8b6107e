"""A request: what the user asked for, and the sequences that it owns (row 1 of the design)."""

from __future__ import annotations

import math
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

import numpy as np

from foretell.backends.base import BackendInfo, Logits
from foretell.config import GenerationConfig
from foretell.decoding.context import Breakers, ChainContext
from foretell.decoding.stopping import StopRules
from foretell.decoding.strategies import Guided, OneToken, Strategy
from foretell.engine.sequence import Sequence
from foretell.errors import RequestError


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
    """

    prompt: Items[int]
    config: GenerationConfig = field(default_factory=GenerationConfig)
    eos_token_ids: frozenset[int] = frozenset()
    strategy: Strategy | None = None
    prompt_logprobs: int | None = None
    negative_prompt: Items[int] | None = None
    dry_breakers: Breakers = field(default_factory=dict)

    @property
    def generates(self) -> bool:
        """Whether tokens may follow the prompt."""
        return self.strategy is None or self.strategy.generates

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
        num_blocks = info.num_blocks // (1 if self.negative_prompt is None else 2)
        return min(info.context_length, num_blocks * info.block_size) - self._lead

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
        num_sequences = 1 if self.negative_prompt is None else 2
        self._check_length("the context has", info.context_length)
        pool = info.num_blocks // num_sequences * info.block_size
        self._check_length("the KV pool has", pool)

    def _check_length(self, place: str, limit: int) -> None:
        if self.min_length + self._lead <= limit:
            return
        asked = f"a prompt of {len(self.prompt)} tokens"
        if self.generates and self.config.max_new_tokens is not None:
            asked += f" and max_new_tokens={self.config.max_new_tokens}"
        elif self.generates:
            asked += " and a token to generate"
        raise RequestError(f"{asked}: {self.min_length} positions, but {place} {limit}")


class RequestState:
    """A request under way.

    Attributes:
        id: the engine's number for it.
        request: what was asked for.
        strategy: decides what its sequences do.
        sequences: those that it owns: the user's, and with guidance the negative prompt's.
        max_lengths: positions that each may come to take.
        stop_rules: when the user's sequence has ended.
    """

    def __init__(self, request_id: int, request: Request, info: BackendInfo) -> None:
        self.id = request_id
        self.request = request
        prompts = [request.prompt]
        if request.negative_prompt is not None:
            prompts.append(request.negative_prompt)
        self.sequences = [Sequence(index, prompt) for index, prompt in enumerate(prompts)]
        max_length = request.max_length(info)
        room = max_length - len(request.prompt)
        self.max_lengths = [len(prompt) + room for prompt in prompts]
        self.strategy = request.strategy or _strategy(request, max_length, info.vocab_size)
        self.stop_rules = StopRules(request.config, request.eos_token_ids, max_length)
        self._rows: dict[int, Logits] = {}

    @property
    def sequence(self) -> Sequence:
        """The sequence that the user sees."""
        return self.sequences[0]

    def wants_prompt_rows(self, sequence: Sequence) -> bool:
        """Whether the logits at every position still to be computed are asked for."""
        asked = self.request.prompt_logprobs is not None and sequence.index == 0
        return asked and not sequence.is_decoding

    def collect(self, sequence: Sequence, row: Logits) -> Logits | None:
        """Take a sequence's row, `(1, vocab_size)`; give the rows of all once all are there."""
        if len(self.sequences) == 1:
            return row
        self._rows[sequence.index] = row.copy()  # the backend's rows last for one step
        if len(self._rows) < len(self.sequences):
            return None
        rows = np.concatenate([self._rows[one.index] for one in self.sequences])
        self._rows.clear()
        return rows


def _strategy(request: Request, max_length: int, vocab_size: int) -> Strategy:
    kind = OneToken if request.negative_prompt is None else Guided
    return kind(request.config, request.context(vocab_size, max_length))


def _check_ids(name: str, ids: Items[int], vocab_size: int) -> None:
    if not ids:
        raise RequestError(f"the {name} has no tokens: must have at least one")
    for place in (ids.index(min(ids)), ids.index(max(ids))):
        if not 0 <= ids[place] < vocab_size:
            raise RequestError(
                f"{name} token {ids[place]} at position {place} is out of range: "
                f"must be 0 to {vocab_size - 1}"
            )
