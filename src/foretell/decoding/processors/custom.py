"""A user's own processor: any function on a row."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from foretell.decoding.processors.base import History
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits


class UserProcessor:
    """Calls `function(row)` or `function(row, history)`.

    The function writes into the row in place and returns None, or returns a new row of the same
    length. ConfigError if it returns anything else.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._takes_history = _num_positional(function) > 1

    def __call__(self, row: Logits, history: History) -> None:
        """Let the function change the row."""
        result = self._function(row, history) if self._takes_history else self._function(row)
        if result is None or result is row:
            return
        changed = np.asarray(result)
        if changed.shape != row.shape:
            raise ConfigError(
                f"the processor {name_of(self._function)!r} returned {type(result).__name__} of "
                f"shape {changed.shape}: must return None or a row of shape {row.shape}"
            )
        row[:] = changed


def name_of(function: Callable[..., Any]) -> str:
    """The function's name, or its class's."""
    return str(getattr(function, "__name__", type(function).__name__))


def _num_positional(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # built in, without a signature
        return 2
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return 2
    return sum(parameter.kind in kinds for parameter in parameters)
