"""What a chain of processors must know of the model and the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from foretell.decoding.processors.base import History
    from foretell.decoding.thoughts import ThoughtMarks

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


class TextBeginning(Protocol):
    """What a generated text must begin with: tokens that were taken back from its prompt."""

    @property
    def num_taken(self) -> int:
        """How many they are."""
        ...

    @property
    def num_characters(self) -> int:
        """Whole characters of theirs, which are the prompt's."""
        ...

    @property
    def most_tokens(self) -> int:
        """After so many tokens it is written, whichever they are."""
        ...

    def allowed(self, written: Sequence[int]) -> Sequence[int] | None:
        """The ids that may follow what was generated so far; None: it is written, and any may."""
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
        thoughts: what these stand between, where they have a budget.
        beginning: what the text must begin with, where that is certain.
    """

    vocab_size: int
    eos_token_ids: frozenset[int] = frozenset()
    max_length: int | None = None
    dry_breakers: Breakers = field(default_factory=dict)
    prompt_index: int = 0
    matchers: FormMatchers | None = None
    thoughts: ThoughtMarks | None = None
    beginning: TextBeginning | None = None
