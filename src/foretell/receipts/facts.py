"""What a receipt says of a model, and of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AdapterFacts:
    """An adapter that was merged into a model.

    Attributes:
        name: of its file or folder.
        sha256: of its bytes; None where they were changed since.
        weight: how much of its change was added.
    """

    name: str
    sha256: str | None
    weight: float = 1.0


@dataclass(frozen=True)
class ModelFacts:
    """What tells a model, and how it was opened, from all others.

    Attributes:
        name: a known name or a hub's id; of a path its last part; None for an object.
        sha256: of its bytes; None for an object, and where its files were changed since.
        tokenizer_sha256: of its tokens, in their order, and of what is special about them.
        backend: what ran it.
        weights: how its weights are kept, in words.
        options: the arguments of `LLM` that were stated and change what is computed.
        adapters: those that were merged.
        speculation: what guessed tokens ahead, which changes none of them; None for nothing.
    """

    name: str | None
    sha256: str | None
    tokenizer_sha256: str
    backend: str
    weights: str
    options: Mapping[str, Any] = field(default_factory=dict)
    adapters: tuple[AdapterFacts, ...] = ()
    speculation: str | None = None


@dataclass(frozen=True)
class TokenFact:
    """What was reported of one token: its log-probability, and the likeliest tokens there.

    Attributes:
        logprob: None where that is infinite.
        top: token ids and their log-probabilities.
    """

    logprob: float | None
    top: tuple[tuple[int, float | None], ...] = ()
