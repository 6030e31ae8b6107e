"""A request: what the user asked for, and the sequences that it owns (row 1 of the design)."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, field

from foretell.backends.base import BackendInfo
from foretell.config import GenerationConfig
from foretell.decoding.strategies import OneToken, Strategy
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
    """

    prompt: Items[int]
    config: GenerationConfig = field(default_factory=GenerationConfig)
    eos_token_ids: frozenset[int] = frozenset()
    strategy: Strategy | None = None
    prompt_logprobs: int | None = None

    @property
    def generates(self) -> bool:
        """Whether tokens may follow the prompt."""
        return self.strategy is None or self.strategy.generates

    @property
    def min_length(self) -> int:
        """Positions without which the request is not what was asked for."""
        if not self.generates:
            return len(self.prompt)
        return len(self.prompt) + (self.config.max_new_tokens or 1)

    def max_length(self, info: BackendInfo) -> int:
        """Positions that it may come to take."""
        if not self.generates or self.config.max_new_tokens is not None:
            return self.min_length
        return min(info.context_length, info.num_blocks * info.block_size)

    def check(self, info: BackendInfo) -> None:
        """Raise RequestError if no state of this backend could run the request."""
        if not self.prompt:
            raise RequestError("the prompt has no tokens: must have at least one")
        for place in (self.prompt.index(min(self.prompt)), self.prompt.index(max(self.prompt))):
            if not 0 <= self.prompt[place] < info.vocab_size:
                raise RequestError(
                    f"prompt token {self.prompt[place]} at position {place} is out of range: "
                    f"must be 0 to {info.vocab_size - 1}"
                )
        self._check_length("the context has", info.context_length)
        self._check_length("the KV pool has", info.num_blocks * info.block_size)

    def _check_length(self, place: str, limit: int) -> None:
        if self.min_length <= limit:
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
        sequence: the one sequence that it owns so far.
        max_length: positions that the sequence may come to take.
    """

    def __init__(self, request_id: int, request: Request, info: BackendInfo) -> None:
        self.id = request_id
        self.request = request
        self.strategy = request.strategy or OneToken(request.config)
        self.sequence = Sequence(0, request.prompt)
        self.max_length = request.max_length(info)

    @property
    def wants_prompt_rows(self) -> bool:
        """Whether the logits at every position still to be computed are asked for."""
        in_prompt = self.sequence.num_computed < self.sequence.num_prompt_tokens
        return in_prompt and self.request.prompt_logprobs is not None
