"""A drafter that has been told what will be said, and does not always say so."""

from __future__ import annotations

import random
from collections.abc import Sequence

from foretell.config import GenerationConfig
from foretell.decoding.drafts.base import NO_DRAFT, Draft
from foretell.decoding.processors.base import History


class Prompter:
    """Goes on with the text of which a history is the beginning, with a wrong token now and then.

    What it proposes is computed whatever it costs.

    Args:
        vocab_size: tokens are below it.
        seed: of what goes wrong.
        errors: how probable it is that a token is wrong.
        is_brief: whether it often proposes less than it may.

    Attributes:
        texts: whole texts, in ids, that it knows.
        num_proposed: tokens proposed so far.
    """

    def __init__(
        self, vocab_size: int, *, seed: int = 0, errors: float = 0.2, is_brief: bool = True
    ) -> None:
        self._vocab_size = vocab_size
        self._random = random.Random(seed)
        self._errors = errors
        self._is_brief = is_brief
        self.texts: list[list[int]] = []
        self.num_proposed = 0

    def follow(self, history: History, config: GenerationConfig) -> History:
        """The history says all there is to know."""
        return history

    def propose(self, followers: Sequence[History], most: int, step_seconds: float) -> list[Draft]:
        """For each the rest of its text, or anything where it has none."""
        return [self._draft(history, most) for history in followers]

    def _draft(self, history: History, most: int) -> Draft:
        size = self._random.randint(0, most) if self._is_brief else most
        if not size:
            return NO_DRAFT
        known, length = [*history.tokens], len(history.tokens)
        texts = [text for text in self.texts if text[:length] == known]
        rest = texts[0][length : length + size] if texts else []
        rest += [self._any() for _ in range(size - len(rest))]
        draft = [self._any() if self._random.random() < self._errors else one for one in rest]
        self.num_proposed += size
        return Draft(draft, [1.0] * size)

    def _any(self) -> int:
        return self._random.randrange(self._vocab_size)
