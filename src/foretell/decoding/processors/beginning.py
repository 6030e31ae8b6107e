"""The beginning of a text that is certain: the end of a healed prompt."""

from __future__ import annotations

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext, TextBeginning
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder
from foretell.decoding.processors.rows import check_possible, within
from foretell.utils.arrays import Logits


class BeginningMask:
    """Only tokens that begin as the text must are possible, until that beginning is written."""

    def __init__(self, beginning: TextBeginning) -> None:
        self._beginning = beginning
        self._most_tokens = beginning.most_tokens

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what does not begin so; NumericalError if nothing is left."""
        start = history.num_prompt_tokens
        if len(history.tokens) - start >= self._most_tokens:
            return
        allowed = self._beginning.allowed(history.tokens[start:])
        if allowed is None:
            return
        ids = within(np.array(allowed, dtype=np.int64), row)
        kept = row[ids]
        row.fill(-np.inf)
        row[ids] = kept
        check_possible(row, "token_healing")


def _token_healing(_: object, config: GenerationConfig, context: ChainContext) -> Processor | None:
    return None if context.beginning is None else BeginningMask(context.beginning)


BUILDERS: dict[str, Builder] = {"token_healing": _token_healing}
