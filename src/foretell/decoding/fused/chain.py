"""The fusable chain in C++: the twin of the numpy processors and sampler.

Penalties, temperature, top-k, top-p, min-p and the draw of many rows are one call, without a sort
of the vocabulary. What is kept and drawn equals the processors' answer bit for bit, in any order of
steps (see csrc/sampling/chain.h, and softmax.py for the integer weights).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.config.choices import Scope
from foretell.config.ranges import MAX_COUNT
from foretell.decoding import sampler
from foretell.decoding.fused import _sampling
from foretell.decoding.fused.elementary import log_of
from foretell.decoding.processors.base import History
from foretell.decoding.ranks import top_ids
from foretell.decoding.softmax import BLOCK, check_logits, total_mass
from foretell.errors import ConfigError, NumericalError
from foretell.utils.arrays import Logits
from foretell.utils.isa import choose_instruction_set

StepName = Literal["temperature", "top_k", "top_k_cut", "top_p", "min_p"]
Step = tuple[StepName, float]
"""A step's kind and its T, k or p; `top_k_cut` keeps exactly k, the lower ids among equals."""

_AVAILABLE = _sampling.instruction_sets()
MAX_VOCAB = 2**19 - 1  # a sum of this many integer weights cannot overflow


@functools.cache
def _default_isa() -> str:
    """FORETELL_ISA's or the best: read once, as no step looks at the environment."""
    return choose_instruction_set(_AVAILABLE)


class FusedChain:
    """One sequence's settings and token counts; `choose` runs it on a row of logits.

    Penalties come before the steps: repetition, frequency, presence. Each of them leaves `exempt`
    ids alone. `greedy` takes the largest logit, the lowest id among equals, and has no steps.
    `advance` must have been called with the history before each choice.

    Attributes:
        vocab_size: length of the rows that it runs on.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own, given by name
        self,
        *,
        vocab_size: int,
        steps: Sequence[Step] = (),
        greedy: bool = False,
        repetition_penalty: float = 1.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        repetition_scope: Scope = "all",
        count_scope: Scope = "output",
        exempt: Iterable[int] = (),
        min_tokens_to_keep: int = 1,
    ) -> None:
        if not 1 <= vocab_size <= MAX_VOCAB:
            raise ConfigError(f"vocab_size={vocab_size} must be in 1 … {MAX_VOCAB}")
        if greedy and steps:
            raise ConfigError(f"steps={list(steps)!r} must be empty where greedy=True")
        if min_tokens_to_keep < 1:
            raise ConfigError(f"min_tokens_to_keep={min_tokens_to_keep} must be at least 1")
        self.vocab_size = vocab_size
        self._chain = _sampling.SamplingChain(
            vocab_size=vocab_size,
            repetition_penalty=repetition_penalty,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            repetition_scope=_scope(repetition_scope),
            count_scope=_scope(count_scope),
            exempt=list(exempt),
            steps=[_step(name, value, vocab_size) for name, value in steps],
            min_tokens_to_keep=min(min_tokens_to_keep, vocab_size),
            greedy=greedy,
        )

    @property
    def num_stages(self) -> int:
        """Penalties that do something, and steps."""
        return self._chain.num_stages

    def advance(self, history: History) -> None:
        """Count the tokens that have come since the last call; all again if some were taken back.

        The tokens already counted must not have changed.
        """
        if len(history.tokens) < self._chain.num_seen:
            self._chain.clear()
        new_tokens = history.tokens[self._chain.num_seen :]
        self._chain.advance(list(new_tokens), history.num_prompt_tokens)


def choose(
    logits: Logits,
    rows: Sequence[int],
    chains: Sequence[FusedChain],
    uniforms: Sequence[float],
    *,
    isa: str | None = None,
) -> list[int | NumericalError]:
    """One token for each of the rows of `logits`, `(R, vocab_size)`, which are overwritten.

    `uniforms` are in [0, 1). `isa` is an instruction set, by default FORETELL_ISA's or the best.
    A row with NaN or +inf, or of -inf alone, is answered with an error; the others are not hurt.
    """
    cores = [chain._chain for chain in chains]
    answers = _sampling.choose(logits, rows, cores, uniforms, isa or _default_isa())
    return [NumericalError(one) if isinstance(one, str) else one for one in answers]


def kept(row: Logits, chain: FusedChain, *, isa: str | None = None) -> list[int]:
    """Ids that the chain leaves possible, ascending; the row, `(vocab_size,)`, is overwritten.

    For tests and for looking inside. Raises NumericalError for a broken row.
    """
    try:
        return _sampling.kept(row, chain._chain, isa or _default_isa())
    except _sampling.BrokenRow as error:
        raise NumericalError(str(error)) from None


def draw(row: Logits, uniform: float, *, isa: str | None = None) -> int:
    """As `sampler.draw`, which takes the rows that are too long here.

    Raises NumericalError for a broken row.
    """
    if len(row) > MAX_VOCAB:
        return sampler.draw(row, uniform)
    try:
        return _sampling.draw(row, uniform, isa or _default_isa())
    except _sampling.BrokenRow as error:
        raise NumericalError(str(error)) from None


def apply(row: Logits, chain: FusedChain, *, isa: str | None = None) -> None:
    """Write what the chain makes of the row, `(vocab_size,)`, without a draw.

    Raises NumericalError for a broken row.
    """
    try:
        _sampling.apply(row, chain._chain, isa or _default_isa())
    except _sampling.BrokenRow as error:
        raise NumericalError(str(error)) from None


class Traced(NamedTuple):
    """What a chain made of a row, stage by stage, the row as it came first.

    `stages` are the possible tokens, the share of the stage before that these had, and the entropy
    in nats. `tokens` are the chosen one, then others by rank: id, rank, logits and probabilities at
    each stage. `low` and `high` are the sums of probability between which it was drawn.
    """

    stages: list[tuple[int, float, float]]
    tokens: list[tuple[int, int, list[float], list[float]]]
    low: float
    high: float


def trace(
    row: Logits, chain: FusedChain, uniform: float, num_others: int, *, isa: str | None = None
) -> Traced:
    """Choose a token as `choose` does and trace why; the row, `(vocab_size,)`, is left alone.

    Traced are the token and the `num_others` likeliest of the row and of what the chain leaves.
    Raises NumericalError for a broken row.
    """
    isa = isa or _default_isa()
    try:
        return Traced(*_sampling.trace(row, chain._chain, uniform, num_others, isa))
    except _sampling.BrokenRow as error:
        raise NumericalError(str(error)) from None


class Sums(NamedTuple):
    """What a row adds up to, with x = row - largest.

    `masses` are Σ exp(x) of each block of logits, `moment` is Σ x · exp(x) of all. In
    float64; an x below -64 counts as -64, which adds less than rounding does. `few_ids` are the ids
    of the possible tokens, ascending, if they are not many. A row with NaN, or without a finite
    maximum, has no sums: its `largest` is NaN.
    """

    num_possible: int
    largest: float
    masses: list[float]
    moment: float
    few_ids: list[int]


def sum_up(row: Logits, block: int, *, isa: str | None = None) -> Sums:
    """The sums of a row, in blocks of `block` logits, a multiple of 64."""
    return Sums(*_sampling.sum_up(row, block, isa or _default_isa()))


def to_log_probabilities(row: Logits) -> None:
    """Turn logits into log-probabilities, in place; NumericalError for a broken row.

    The largest logit is taken off first: a large one would swallow the logarithm's last digits.
    """
    largest = check_logits(row)
    row -= np.float32(largest)
    row -= np.float32(log_of(_mass(row)))


def _mass(row: Logits) -> float:
    """Σ exp(row), of a row whose largest logit is 0."""
    return total_mass(row, 0.0) if len(row) > MAX_VOCAB else math.fsum(sum_up(row, BLOCK).masses)


def likeliest(row: Logits, count: int) -> NDArray[np.intp]:
    """As `top_ids`: ids of the `count` largest logits, without what is ruled out."""
    if len(row) > MAX_VOCAB or count == 0:
        ids = top_ids(row, count)
        return ids[row[ids] > -np.inf]
    ids = np.array(kept(row, _cut(len(row), count)), dtype=np.intp)
    return ids[np.argsort(-row[ids], kind="stable")]


@functools.lru_cache(maxsize=16)
def _cut(size: int, count: int) -> FusedChain:
    """Top-k, which leaves a row as it is and lists what it keeps."""
    return FusedChain(vocab_size=size, steps=[("top_k_cut", count)])


def instruction_sets() -> list[str]:
    """Names of the instruction sets that this machine can run, best first."""
    return list(_AVAILABLE)


def _scope(scope: Scope) -> tuple[_sampling.ScopeKind, int]:
    if isinstance(scope, int):
        return _sampling.ScopeKind.last, min(scope, MAX_COUNT)
    return _sampling.ScopeKind[scope], 0


def _step(name: StepName, value: float, vocab_size: int) -> tuple[_sampling.StepKind, float]:
    if name in ("top_k", "top_k_cut") and value >= vocab_size:
        value = vocab_size  # all of them, however large the number is
    lowest = {"temperature": math.ulp(0.0), "top_k": 1, "top_k_cut": 1}.get(name, 0.0)
    if not lowest <= value < math.inf:
        raise ConfigError(f"{name}={value!r} must be a finite number of at least {lowest}")
    if name == "min_p":
        value = log_of(min(value, 1))
    return _sampling.StepKind[name], value
