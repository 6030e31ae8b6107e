"""No n-gram twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foretell.decoding.processors.base import History
from foretell.decoding.processors.builders import Builder
from foretell.decoding.processors.rows import Ids, rule_out, within
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits


class NoRepeatNGram:
    """Rule out what would complete an n-gram that was already written (Paulus et al. 2017).

    arXiv 1705.04304. Prompt and output both count; size 1 rules out every token seen.
    NumericalError if that leaves no token possible.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ConfigError(f"no_repeat_ngram_size={size!r} must be 1 or more")
        self._size = size

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out the last id of every n-gram that begins as the text now ends."""
        ids = within(completions(history.tokens, self._size), row)
        if len(ids):
            rule_out(row, ids, "no_repeat_ngram_size")


def completions(tokens: Sequence[int], size: int) -> Ids:
    """Ids that followed the last size - 1 tokens wherever these came before."""
    ids = np.asarray(tokens, dtype=np.int64)
    num_ngrams = len(ids) - size + 1
    if num_ngrams < 1:
        return ids[:0]
    starts = np.arange(num_ngrams)
    for offset in range(size - 1):
        starts = starts[ids[starts + offset] == ids[num_ngrams + offset]]
    return ids[starts + size - 1]


BUILDERS: dict[str, Builder] = {
    "no_repeat_ngram_size": lambda size, *_: NoRepeatNGram(size) if size else None,
}
