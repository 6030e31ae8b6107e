"""A user's own processor: any function on a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.functions import name_of, numbers_of, read_function
from foretell.decoding.processors.base import History
from foretell.errors import NumericalError
from foretell.utils.arrays import Logits
from foretell.utils.tensors import Arrays, arrays_for_functions


class UserProcessor:
    """Calls `f(row)`, `f(row, history)` or transformers' `f(input_ids, scores)`.

    The function writes into the row in place and returns None, or returns a new row of the same
    length. transformers' gets ids `(1, length)` and scores `(1, vocab_size)`, tensors where torch
    has been imported, and returns scores. ConfigError if it returns anything else, NumericalError
    if the row's maximum is no longer finite, unless it `may_break` it.

    Args:
        function: the user's.
        setting: that took it.
        may_break: whether a later stage mends the row.
        is_transformers: whether it has transformers' form, where that is known.
        arrays: what makes the arrays that transformers' form is given.
        padding: ids that stand before the prompt's there.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        setting: str = "logits_processor",
        *,
        may_break: bool = False,
        is_transformers: bool | None = None,
        arrays: Arrays | None = None,
        padding: Sequence[int] = (),
    ) -> None:
        self.__name__ = name_of(function)
        self._user = read_function(setting, function, is_transformers=is_transformers)
        self._may_break = may_break
        self._arrays = arrays
        self._padding = padding

    def __call__(self, row: Logits, history: History) -> None:
        """Let the function change the row."""
        user = self._user
        if user.is_transformers:
            self._call_theirs(row, history)
        else:
            result = user.call(*(row, history)[: user.num_arguments])
            if result is not None and result is not row:
                _write(row, numbers_of(user, result, row.shape))
        if not self._may_break:
            self._check(row)

    def _call_theirs(self, row: Logits, history: History) -> None:
        arrays = self._arrays or arrays_for_functions()
        ids = arrays.ids([[*self._padding, *history.tokens]])
        result = self._user.call(ids, arrays.floats(row[None]))
        _write(row, numbers_of(self._user, result, (1, len(row)))[0])

    def _check(self, row: Logits) -> None:
        largest = row.max()
        if not np.isfinite(largest):
            what = "NaN in the row" if np.isnan(largest) else f"a row whose maximum is {largest}"
            raise NumericalError(
                f"{self._user.label} leaves {what}: must leave a finite maximum, and no NaN"
            )


def _write(row: Logits, numbers: NDArray[Any]) -> None:
    with np.errstate(over="ignore"):
        row[:] = numbers
