"""Penalties on tokens that were seen before.

All three leave ruled-out tokens ruled out, exempt ones alone, and finite logits finite: a penalty
that would overflow float32 stops at its bounds. Nothing is ever ruled out.
"""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, ids
from foretell.decoding.processors.rows import LARGEST, put
from foretell.decoding.processors.scope import Scope, SeenTokens, check_scope, seen_tokens
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits


class Penalty:
    """What the three share: a number, a scope, and the tokens that it leaves alone.

    Attributes:
        setting: the setting's name.
        penalty: the number, float32.
        scope: which tokens it looks back on.
        exempt: ids that it leaves alone.
    """

    setting: ClassVar[str]
    default_scope: ClassVar[Scope]

    def __init__(
        self, penalty: float, scope: Scope | None = None, exempt: Set[int] = frozenset()
    ) -> None:
        if not abs(penalty) <= LARGEST:  # NaN fails every comparison
            raise ConfigError(f"{self.setting}={penalty!r} must be a number within float32")
        self.penalty = np.float32(penalty)
        self.scope: Scope = self.default_scope if scope is None else scope
        check_scope(self.scope)
        self.exempt = exempt

    def __call__(self, row: Logits, history: History) -> None:
        """Write what the penalty makes of the seen tokens' logits."""
        seen = seen_tokens(history, self.scope, self.exempt, len(row))
        with np.errstate(over="ignore"):
            put(row, seen.ids, self._penalized(row[seen.ids], seen))

    def _penalized(self, logits: Logits, seen: SeenTokens) -> Logits:
        """The new logits of the seen tokens, float32."""
        raise NotImplementedError


class RepetitionPenalty(Penalty):
    """x ≥ 0: x / r; x < 0: x · r, once per distinct token (Keskar et al. 2019, arXiv 1909.05858).

    In float32. Above 1 discourages repetition, below 1 encourages it.
    """

    setting = "repetition_penalty"
    default_scope = "all"

    def __init__(
        self, penalty: float, scope: Scope | None = None, exempt: Set[int] = frozenset()
    ) -> None:
        super().__init__(penalty, scope, exempt)
        if self.penalty <= 0:
            raise ConfigError(f"repetition_penalty={penalty!r} must be above 0")

    def _penalized(self, logits: Logits, seen: SeenTokens) -> Logits:
        penalized: Logits = np.where(logits < 0, logits * self.penalty, logits / self.penalty)
        return penalized


class FrequencyPenalty(Penalty):
    """x - f · count, for every time that the token was seen (OpenAI, vLLM, llama.cpp).

    In float32. Above 0 discourages repetition, below 0 encourages it.
    """

    setting = "frequency_penalty"
    default_scope = "output"

    def _penalized(self, logits: Logits, seen: SeenTokens) -> Logits:
        penalized: Logits = logits - self.penalty * seen.counts.astype(np.float32)
        return penalized


class PresencePenalty(Penalty):
    """x - a, if the token was seen at all (OpenAI, vLLM, llama.cpp).

    In float32. Above 0 discourages repetition, below 0 encourages it.
    """

    setting = "presence_penalty"
    default_scope = "output"

    def _penalized(self, logits: Logits, seen: SeenTokens) -> Logits:
        penalized: Logits = logits - self.penalty
        return penalized


def _repetition(penalty: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    scope = config.rules.repetition_scope if config.penalty_scope is None else config.penalty_scope
    exempt = ids(config.penalty_exempt_tokens)
    return RepetitionPenalty(penalty, scope, exempt) if penalty != 1 else None


def _counting(kind: type[FrequencyPenalty] | type[PresencePenalty]) -> Builder:
    def build(penalty: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
        scope = config.rules.count_scope if config.penalty_scope is None else config.penalty_scope
        return kind(penalty, scope, ids(config.penalty_exempt_tokens)) if penalty else None

    return build


BUILDERS: dict[str, Builder] = {
    "repetition_penalty": _repetition,
    "frequency_penalty": _counting(FrequencyPenalty),
    "presence_penalty": _counting(PresencePenalty),
}
