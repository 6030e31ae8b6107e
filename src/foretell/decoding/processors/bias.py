"""Biases: numbers added to the logits of tokens and of sequences.

A bias of -inf bans. Sums are taken in float64, rounded once, and stop at float32's bounds; if every
token ends up banned, NumericalError names the setting.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, texts_left
from foretell.decoding.processors.masks import Endings
from foretell.decoding.processors.rows import as_ids, check_possible, check_within, put
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits


class LogitBias:
    """x + bias, by token id (OpenAI's `logit_bias`)."""

    def __init__(self, biases: Mapping[int, float]) -> None:
        _check("logit_bias", biases.values())
        self._ids = as_ids("logit_bias", biases)
        self._biases = np.array([biases[token] for token in self._ids.tolist()])

    def __call__(self, row: Logits, history: History) -> None:
        """Add the biases."""
        check_within("logit_bias", self._ids, row)
        _add(row, self._ids, self._biases, "logit_bias")


class SequenceBias:
    """x + bias for the last id of a sequence whose other ids have just been written.

    A single id is always biased; biases that meet on one token add up. transformers'
    `sequence_bias`; prompt and output both count.
    """

    def __init__(self, biases: Mapping[tuple[int, ...], float]) -> None:
        _check("sequence_bias", biases.values())
        self._endings = Endings("sequence_bias", biases)
        self._biases = list(biases.values())

    def __call__(self, row: Logits, history: History) -> None:
        """Add the biases of what is about to be written."""
        totals: dict[int, float] = {}
        for index in self._endings.begun(row, history):
            token = self._endings.sequences[index][-1]
            totals[token] = totals.get(token, 0.0) + self._biases[index]
        ids = np.fromiter(totals, dtype=np.int64)
        _add(row, ids, np.array(list(totals.values())), "sequence_bias")


def _check(setting: str, biases: Iterable[float]) -> None:
    for bias in biases:
        if math.isnan(bias) or bias == math.inf:
            raise ConfigError(f"{setting} has the bias {bias!r}: must be a number, or -inf to ban")


def _add(row: Logits, ids: np.ndarray, biases: np.ndarray, setting: str) -> None:
    put(row, ids, row[ids] + biases)
    row[ids[biases == -np.inf]] = -np.inf
    check_possible(row, setting)


def _logit_bias(
    biases: Mapping[Any, float], config: GenerationConfig, context: ChainContext
) -> Processor | None:
    if any(isinstance(key, str) for key in biases):
        raise texts_left("logit_bias")
    return LogitBias(biases) if biases else None


BUILDERS: dict[str, Builder] = {
    "logit_bias": _logit_bias,
    "sequence_bias": lambda biases, *_: SequenceBias(biases) if biases else None,
}
