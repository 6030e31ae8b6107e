"""What a chain of processors must know of the model and the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Breakers = Mapping[int, Sequence[tuple[int, ...]]]
"""By a token id: the ids that must follow it to break a sequence for DRY; none: it alone does."""


@dataclass(frozen=True)
class ChainContext:
    """What settings alone do not determine.

    Attributes:
        vocab_size: length of a row.
        eos_token_ids: tokens that end a sequence.
        max_length: positions of the whole sequence, prompt included, if there is a limit.
        dry_breakers: where DRY stops looking back.
        prompt_index: of the prompt in its list, which transformers' functions are told.
    """

    vocab_size: int
    eos_token_ids: frozenset[int] = frozenset()
    max_length: int | None = None
    dry_breakers: Breakers = field(default_factory=dict)
    prompt_index: int = 0
