"""What a chain of processors must know of the model and the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from foretell.decoding.processors.base import History

Breakers = Mapping[int, Sequence[tuple[int, ...]]]
"""By a token id: the ids that must follow it to break a sequence for DRY; none: it alone does."""


class FormMatcher(Protocol):
    """How far a text has come in the language that it is held to."""

    @property
    def is_accepting(self) -> bool:
        """Whether the text is complete as it stands."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether it is, and nothing can come any more."""
        ...

    def allowed(self) -> NDArray[np.bool_]:
        """For each token whether it may come next, fresh, `(vocab_size,)`."""
        ...

    def forced_tokens(self) -> list[int]:
        """The tokens that must come next, as far as they are certain."""
        ...

    def validate(self, tokens: Sequence[int]) -> int:
        """How many of these tokens could come next, one after the other; nothing is changed."""
        ...


class FormMatchers(Protocol):
    """The matchers of a request's sequences."""

    def at(self, history: History) -> FormMatcher:
        """The matcher of a sequence, behind its last token."""
        ...


@dataclass(frozen=True)
class ChainContext:
    """What settings alone do not determine.

    Attributes:
        vocab_size: length of a row.
        eos_token_ids: tokens that end a sequence.
        max_length: positions of the whole sequence, prompt included, if there is a limit.
        dry_breakers: where DRY stops looking back.
        prompt_index: of the prompt in its list, which transformers' functions are told.
        matchers: of the language that the text is held to, if it is held to one.
    """

    vocab_size: int
    eos_token_ids: frozenset[int] = frozenset()
    max_length: int | None = None
    dry_breakers: Breakers = field(default_factory=dict)
    prompt_index: int = 0
    matchers: FormMatchers | None = None
