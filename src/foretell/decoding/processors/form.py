"""A text's form: the mask of the language that it is held to.

It is the last of what applies to greedy decoding too, and has the last word: where earlier stages
have ruled out every token that the language allows, those become equally likely.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.config.settings import FORMS
from foretell.decoding.context import ChainContext, FormMatchers
from foretell.decoding.fused.elementary import log_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, ids
from foretell.errors import ConfigError, NumericalError
from foretell.utils.arrays import Logits

FEW = 8
"""One token of this many or fewer: they are listed, and the others are as they were or filled."""


class FormMask:
    """Only the tokens that the language allows are possible; ends only where it may end.

    NumericalError if it allows none.

    Args:
        setting: the form's.
        matchers: of the request's sequences.
        eos_ids: ids that end a text, none if they are ignored.
        stop_ids: ids that also end it, and may be text elsewhere.
    """

    def __init__(
        self,
        setting: str,
        matchers: FormMatchers,
        eos_ids: Iterable[int] = (),
        stop_ids: Iterable[int] = (),
    ) -> None:
        self._setting = setting
        self._matchers = matchers
        self._eos_ids = np.array(sorted(eos_ids), dtype=np.intp)
        self._end_ids = np.array(sorted({*eos_ids, *stop_ids}), dtype=np.intp)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out what the language does not allow."""
        matcher = self._matchers.at(history)
        allowed = matcher.allowed()
        if matcher.is_accepting:
            allowed[self._end_ids] = True
        else:
            allowed[self._eos_ids] = False
        count = int(np.count_nonzero(allowed))
        if not count:
            raise NumericalError(
                f"{self._setting} leaves no token possible: the vocabulary cannot spell what must "
                "come next"
            )
        if count * FEW <= len(row):
            _keep(row, np.flatnonzero(allowed))
        else:
            _rule_out(row, allowed, count)


def _keep(row: Logits, kept: NDArray[np.intp]) -> None:
    logits = row[kept]
    row.fill(-np.inf)
    row[kept] = logits if logits.max() > -np.inf else -log_of(len(kept))


def _rule_out(row: Logits, allowed: NDArray[np.bool_], count: int) -> None:
    others = ~allowed
    if (len(row) - count) * FEW <= len(row):
        row[np.flatnonzero(others)] = -np.inf
    else:
        np.putmask(row, others, -np.inf)
    if row.max() == -np.inf:
        row[allowed] = -log_of(count)


def _builder(setting: str) -> Builder:
    def build(value: Any, config: GenerationConfig, context: ChainContext) -> Processor | None:
        if setting != config.form:  # it is a part of that
            return None
        if context.matchers is None:
            raise ConfigError(f"{setting} is not compiled: must be, by now, for a vocabulary")
        eos_ids = frozenset() if config.ignore_eos else context.eos_token_ids
        within = [one for one in eos_ids if one < context.vocab_size]
        return FormMask(setting, context.matchers, within, ids(config.stop_token_ids))

    return build


BUILDERS: dict[str, Builder] = {name: _builder(name) for name in FORMS}
