"""Lengths: when a text may end, and when it must.

Ids of an end of sequence that the vocabulary lacks are passed over: they can't be drawn anyway.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.elementary import log_of, pow_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, ids
from foretell.decoding.processors.rows import LARGEST, as_ids, check_within, put, rule_out, within
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits


class MinLength:
    """No end of sequence before prompt and output have `total` tokens together.

    NumericalError if no other token is possible.
    """

    def __init__(self, total: int, eos_ids: Iterable[int]) -> None:
        self._total = _count("min_length", total)
        self._eos_ids = as_ids("eos_token_id", eos_ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out the end of sequence while the text is too short."""
        if len(history.tokens) < self._total:
            rule_out(row, within(self._eos_ids, row), "min_length")


class MinNewTokens:
    """No end of sequence before `n` tokens are generated.

    NumericalError if no other token is possible.
    """

    def __init__(self, n: int, eos_ids: Iterable[int]) -> None:
        self._n = _count("min_new_tokens", n)
        self._eos_ids = as_ids("eos_token_id", eos_ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out the end of sequence while the output is too short."""
        if _num_generated(history) < self._n:
            rule_out(row, within(self._eos_ids, row), "min_new_tokens")


class ForcedBOS:
    """The first generated token is this one, whatever the logits are.

    transformers' processor acts only after a prompt of one token, an encoder-decoder's start; this
    one acts after any prompt, and so never goes without effect.
    """

    def __init__(self, token_id: int) -> None:
        self._ids = as_ids("forced_bos_token_id", [token_id])

    def __call__(self, row: Logits, history: History) -> None:
        """Give the first token a logit of 0, and rule out the others."""
        check_within("forced_bos_token_id", self._ids, row)
        if _num_generated(history) == 0:
            row.fill(-np.inf)
            row[self._ids] = 0.0


class ForcedEOS:
    """The last token before the length limit is one of these, each equally likely.

    `max_length` counts prompt and output, `max_new_tokens` the output; the one that is reached
    first holds.
    """

    def __init__(
        self, max_length: int | None, ids: Iterable[int], max_new_tokens: int | None = None
    ) -> None:
        if max_length is None and max_new_tokens is None:
            raise ConfigError(
                "forced_eos_token_id has no effect without max_new_tokens or max_length"
            )
        self._max_length = max_length
        self._max_new_tokens = max_new_tokens
        self._ids = as_ids("forced_eos_token_id", ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Give the last token's ids a logit of 0, and rule out the others."""
        check_within("forced_eos_token_id", self._ids, row)
        if self._is_last(history):
            row.fill(-np.inf)
            row[self._ids] = 0.0

    def _is_last(self, history: History) -> bool:
        by_length = self._max_length is not None and len(history.tokens) == self._max_length - 1
        limit = self._max_new_tokens
        return by_length or (limit is not None and _num_generated(history) == limit - 1)


class ExponentialDecay:
    """x + |x| · (factor ** n - 1) for the end of sequence, n tokens after `start` generated ones.

    Above 1 draws texts to an end, below 1 draws them out (transformers'
    `exponential_decay_length_penalty`). In float32; ruled-out tokens stay so, and a weight that
    would overflow stops at float32's bound.
    """

    def __init__(self, start: int, factor: float, eos_ids: Iterable[int]) -> None:
        if not (0 < factor < math.inf):
            raise ConfigError(
                f"exponential_decay_length_penalty has the factor {factor!r}: "
                f"must be a finite number above 0"
            )
        self._start = _count("exponential_decay_length_penalty start", start)
        self._factor = factor
        self._eos_ids = as_ids("eos_token_id", eos_ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Add the weight of the tokens past `start`."""
        past = _num_generated(history) - self._start
        if past <= 0:
            return
        ids = within(self._eos_ids, row)
        logits = row[ids]
        with np.errstate(over="ignore", invalid="ignore"):  # of ruled-out ones
            put(row, ids, logits + np.abs(logits) * np.float32(self._weight(past)))

    def _weight(self, past: int) -> float:
        """factor ** past - 1, at most the largest float32."""
        if past * log_of(self._factor) >= log_of(LARGEST):
            return LARGEST
        return pow_of(self._factor, past) - 1


def _num_generated(history: History) -> int:
    return len(history.tokens) - history.num_prompt_tokens


def _count(setting: str, value: int) -> int:
    if value < 0:
        raise ConfigError(f"{setting}={value!r} must be 0 or more")
    return value


def _forced_eos(
    token_ids: Iterable[int], config: GenerationConfig, context: ChainContext
) -> Processor | None:
    return None if context.max_length is None else ForcedEOS(context.max_length, token_ids)


def _min_length(total: int, config: GenerationConfig, context: ChainContext) -> Processor | None:
    return MinLength(total, _ends(config, context)) if total else None


def _min_new_tokens(n: int, config: GenerationConfig, context: ChainContext) -> Processor | None:
    return MinNewTokens(n, _ends(config, context)) if n else None


def _ends(config: GenerationConfig, context: ChainContext) -> frozenset[int]:
    return context.eos_token_ids | ids(config.stop_token_ids)


def _decay(decay: tuple[int, float], config: GenerationConfig, context: ChainContext) -> Processor:
    start, factor = decay
    return ExponentialDecay(start, factor, context.eos_token_ids)


BUILDERS: dict[str, Builder] = {
    "min_length": _min_length,
    "min_new_tokens": _min_new_tokens,
    "forced_bos_token_id": lambda token_id, *_: ForcedBOS(token_id),
    "forced_eos_token_id": _forced_eos,
    "exponential_decay_length_penalty": _decay,
}
