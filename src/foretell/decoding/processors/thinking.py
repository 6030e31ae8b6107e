"""A budget for thoughts: once it is used, they end."""

from __future__ import annotations

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder
from foretell.decoding.thoughts import MAX_TAIL, ThoughtMarks
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits


class ThinkingBudget:
    """The tokens of the end's mark are forced behind `budget` tokens of thoughts.

    As vLLM's `thinking_token_budget`, but that a character is finished first. It depends on nothing
    but the tokens so far, so one object serves all sequences of a request.
    """

    def __init__(self, budget: int, marks: ThoughtMarks) -> None:
        if budget < 0:
            raise ConfigError(f"thinking_budget={budget!r} must be 0 or more")
        self._budget = budget
        self._marks = marks

    def __call__(self, row: Logits, history: History) -> None:
        """Give the next token of the mark a logit of 0, and rule out the others."""
        tokens = history.tokens
        start = self._marks.start(tokens, history.num_prompt_tokens)
        if start is None:
            return
        ids, stop = self._marks.end_ids, start + self._budget
        if not 0 <= len(tokens) - stop < len(ids) + MAX_TAIL:
            return
        while stop > start and self._marks.ends_within_character(tokens[start:stop]):
            stop += 1
            if stop > len(tokens):
                return
        place = len(tokens) - stop
        if place < len(ids) and not self._marks.count(tokens[start:stop])[1]:
            row.fill(-np.inf)
            row[ids[place]] = 0.0


def _thinking_budget(
    budget: int, config: GenerationConfig, context: ChainContext
) -> Processor | None:
    return None if context.thoughts is None else ThinkingBudget(budget, context.thoughts)


BUILDERS: dict[str, Builder] = {"thinking_budget": _thinking_budget}
