"""A request: what the user asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from foretell.backends.base import BackendInfo
from foretell.config import GenerationConfig
from foretell.config.ranges import MAX_COUNT
from foretell.config.settings import FUNCTION_SETTINGS
from foretell.decoding.context import Breakers, ChainContext, TextBeginning
from foretell.decoding.functions import functions_of
from foretell.decoding.strategies import strategy_for
from foretell.decoding.strategies.base import Strategy, StrategyKind
from foretell.decoding.thoughts import ThoughtMarks
from foretell.engine.prompt_rows import PromptRows
from foretell.errors import ConfigError, ContextLengthError, KVPoolError, RequestError
from foretell.grammar.matcher import Grammar, Matchers
from foretell.outputs import StopReason
from foretell.utils.display import count
from foretell.utils.quoting import quote


@dataclass(frozen=True)
class Request:
    """A prompt in ids and what is to be done with it.

    Attributes:
        prompt: token ids, at least one.
        config: the settings in force; sampling needs a seed (`GenerationConfig.with_seed`).
        eos_token_ids: ids that end the sequence, unless the settings ignore them.
        strategy: None for the one that the settings ask for.
        prompt_rows: who looks at the logits behind the prompt's tokens; none are reported then.
        prompt_logprobs: report the log-probability of each prompt token but the first, with this
            many alternatives; None reports none.
        negative_prompt: ids that classifier-free guidance pulls away from; they take a second
            sequence.
        dry_breakers: where DRY stops looking back.
        ends_text: from generated ids to why the text that they make ends with the last one, if it
            does; for strategies that emit, whose texts are not written down before.
        priority: requests with a lower number run earlier; among equals, those that came earlier.
        on_step: is called with a record of each step by a strategy that keeps records; a beam
            search gives a `BeamStep`.
        prompt_index: of the prompt in its list.
        grammar: the language that the settings hold the text to, if they do.
        thoughts: what these stand between, where they have a budget.
        beginning: what the text must begin with: tokens that were taken back from the prompt.
    """

    prompt: Items[int]
    config: GenerationConfig = field(default_factory=GenerationConfig)
    eos_token_ids: frozenset[int] = frozenset()
    strategy: Strategy | None = None
    prompt_rows: PromptRows | None = None
    prompt_logprobs: int | None = None
    negative_prompt: Items[int] | None = None
    dry_breakers: Breakers = field(default_factory=dict)
    ends_text: Callable[[Items[int]], StopReason | None] | None = None
    priority: int = 0
    on_step: Callable[[Any], None] | None = None
    prompt_index: int = 0
    grammar: Grammar | None = None
    thoughts: ThoughtMarks | None = None
    beginning: TextBeginning | None = None

    @cached_property
    def strategy_kind(self) -> StrategyKind:
        """Its strategy, or where it has none of its own the class that the settings ask for."""
        is_guided = self.negative_prompt is not None
        return self.strategy or strategy_for(self.config, is_guided=is_guided)

    @property
    def generates(self) -> bool:
        """Whether tokens may follow the prompt."""
        return self.strategy_kind.generates

    @property
    def speculation_off(self) -> str | None:
        """Why nothing is guessed of what it generates, in words; None where that may be.

        Functions of the user's may count how often they are called, or for whom.
        """
        if self.config.speculate is False:
            return "speculate=False"
        if self.config.num_beams > 1:
            return f"num_beams={self.config.num_beams} searches"
        if not self.strategy_kind.verifies:
            return f"the strategy {_name_of(self.strategy_kind)} decides by itself"
        for name in FUNCTION_SETTINGS:
            value = getattr(self.config, name)
            if value is not None and any(map(callable, functions_of(value))):
                return f"{name} has a function"
        return None

    @property
    def num_samples(self) -> int:
        """How many continuations of the prompt are asked for."""
        return self.config.num_return_sequences if self.generates else 1

    @cached_property
    def num_sequences(self) -> int:
        """Sequences that it comes to have: one a prompt at first, then those of the strategy."""
        num_prompts = 1 if self.negative_prompt is None else 2
        return max(num_prompts, self.strategy_kind.num_sequences(self.config))

    @cached_property
    def limit(self) -> int | None:
        """Positions that the settings allow the user's sequence; None if they set no limit."""
        limits = [self.config.max_length or math.inf]
        if self.config.max_new_tokens is not None:
            limits.append(len(self.prompt) + self.config.max_new_tokens)
        return None if min(limits) == math.inf else int(min(limits))

    @cached_property
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
        return len(self.prompt) + min(
            (len(prompt) // size + blocks) * size - len(prompt) for prompt in prompts if prompt
        )

    def _num_pool_blocks(self, size: int) -> int:
        """Blocks with which `_pool_length` is `min_length` at least."""
        prompts = [len(prompt) for prompt in (self.prompt, self.negative_prompt) if prompt]
        num_new = self.min_length - len(self.prompt)
        own = max(math.ceil((length + num_new) / size) - length // size for length in prompts)
        return sum(length // size for length in prompts) + own * self.num_sequences

    @property
    def _lead(self) -> int:
        """How much longer the negative prompt is than the prompt."""
        return max(0, len(self.negative_prompt or ()) - len(self.prompt))

    def context(
        self,
        vocab_size: int,
        max_length: int | None = None,
        matchers: Matchers | None = None,
    ) -> ChainContext:
        """What the chain of its processors must know; `max_length` where the length is limited."""
        return ChainContext(
            vocab_size,
            self.eos_token_ids,
            max_length,
            self.dry_breakers,
            self.prompt_index,
            self.matchers() if matchers is None and self.grammar is not None else matchers,
            self.thoughts,
            self.beginning,
        )

    def matchers(self) -> Matchers | None:
        """How far its texts have come in the language that they are held to: at the beginning."""
        if self.grammar is None:
            return None
        return Matchers(self.grammar, by_text=self.strategy_kind.emits)

    def check(self, info: BackendInfo) -> None:
        """Raise RequestError if no state of this backend could run the request.

        KVPoolError where a larger pool could.
        """
        _check_ids("prompt", self.prompt, info.vocab_size)
        if self.negative_prompt is not None:
            _check_ids("negative prompt", self.negative_prompt, info.vocab_size)
        if self.generates and self.limit is not None and self.limit <= len(self.prompt):
            raise RequestError(
                f"max_length={self.config.max_length} leaves nothing to generate: "
                f"the prompt has {count(len(self.prompt), 'token')} already"
            )
        longer = count(self._lead, "token")
        less = f", less the {longer} by which the negative prompt is longer," if self._lead else ""
        most = info.context_length - self._lead
        if self.min_length > most:
            message = f"{self._wish}, but the context{less} has {max(0, most)}"
            raise ContextLengthError(message, **self._excess(most))
        setting = self.strategy_kind.needs_states
        if setting and not info.num_layers:
            raise ConfigError(
                f"{setting}={quote(getattr(self.config, setting))} looks at states inside the "
                f"model, of which the {info.name} backend does not tell"
            )
        if self.min_length > self._pool_length(info):
            raise KVPoolError(self._beyond_pool(info))
        kind = self.strategy_kind
        if isinstance(kind, type):  # to ask for a Strategy would ask all of its subclasses
            kind.check(self.config, self.max_length(info) - len(self.prompt))

    def check_running(self, max_running: int) -> None:
        """Raise RequestError if it has more sequences than may run at once."""
        if self.num_sequences > max_running:
            setting = self.strategy_kind.counted_by
            raise RequestError(
                f"{setting}={getattr(self.config, setting)} takes {self.num_sequences} sequences, "
                f"but no more than {max_running} can run at once"
            )

    def _beyond_pool(self, info: BackendInfo) -> str:
        """Says what the pool lacks, and how large it must be."""
        wish, found = self._wish, f"the KV pool has {max(0, self._pool_length(info))}"
        if self.num_sequences > 1:
            wish += f" for each of {self.num_sequences} sequences"
            found += " for each"
        needed = self._num_pool_blocks(info.block_size)
        return (
            f"{wish}, but {found}: num_blocks={info.num_blocks} must be at least {needed}, "
            "or kv_share larger"
        )

    def _excess(self, most: int) -> dict[str, Any]:
        """Which setting asks for too much of so many positions, as arguments of the error."""
        room = most - len(self.prompt)
        is_stated = self.generates and self.limit not in (None, self.config.max_length)
        if not is_stated or room < 1:
            return {}
        value = _show_limit(self.config.max_new_tokens)
        return {"setting": "max_new_tokens", "value": value, "room": room}

    @property
    def _wish(self) -> str:
        """What is asked for, in words."""
        prompt = f"a prompt of {count(len(self.prompt), 'token')}"
        beyond = self.min_length >= MAX_COUNT
        needed = "over 2**63 - 1 positions" if beyond else count(self.min_length, "position")
        return f"{prompt}{self._limit_in_words}: {needed}"

    @property
    def _limit_in_words(self) -> str:
        """What is asked for with the prompt: the setting that the limit comes from."""
        if not self.generates:
            return ""
        if self.limit is None:
            return " and a token to generate"
        if self.limit == self.config.max_length:
            return f" with max_length={_show_limit(self.limit)}"
        return f" and max_new_tokens={_show_limit(self.config.max_new_tokens)}"


def _name_of(kind: StrategyKind) -> str:
    return kind.__name__ if isinstance(kind, type) else type(kind).__name__


def _show_limit(limit: int | None) -> str:
    """The limit; where it was not kept as it was given, what is known of it."""
    return "2**63 - 1 or more" if limit == MAX_COUNT else str(limit)


def _check_ids(name: str, ids: Items[int], vocab_size: int) -> None:
    if not ids:
        raise RequestError(f"the {name} has no tokens: must have at least one")
    for position in (ids.index(min(ids)), ids.index(max(ids))):
        if not 0 <= ids[position] < vocab_size:
            raise RequestError(
                f"{name} token {quote(ids[position])} at position {position} is out of range: "
                f"must be 0 to {vocab_size - 1}"
            )
