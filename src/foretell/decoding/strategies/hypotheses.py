"""The finished texts that a search holds, how they are ranked, and when they are enough."""

from __future__ import annotations

import math
from typing import Literal

from foretell.config import GenerationConfig
from foretell.config.choices import NEVER
from foretell.config.searches import texts_held
from foretell.decoding.fused.elementary import log_of, pow_of
from foretell.decoding.strategies.beam_records import Hypothesis, Node
from foretell.outputs import StopReason

Rank = tuple[float, float, float, float]


class Hypotheses:
    """The best finished continuations, best first, and what a search ends by.

    `num_beams` of them are held, or with `patience` so many times as many (Kasai et al. 2022,
    arXiv 2204.05424): the search then ends as soon as there are these, as with
    `early_stopping=True`, which is a patience of 1.

    Attributes:
        held: the finished continuations, at most as many as may be held.

    Args:
        config: the settings in force.
        num_beams: of the search, or of one group of it.
        max_new_tokens: most tokens of a continuation.
    """

    def __init__(self, config: GenerationConfig, num_beams: int, max_new_tokens: int) -> None:
        self._most = texts_held(num_beams, config.patience)
        self._length_penalty = 1.0 if config.length_penalty is None else config.length_penalty
        self._ends_early = config.early_stopping is True or config.patience is not None
        self._is_exact = config.early_stopping == NEVER
        self._max_new_tokens = max_new_tokens
        self.held: list[Hypothesis] = []

    def add(self, node: Node, reason: StopReason) -> Hypothesis:
        """Rank a continuation that has ended among the others; it may not be held."""
        made = Hypothesis(node, score_of(node.total, node.length, self._length_penalty), reason)
        self.held.append(made)
        self.held.sort(key=self.rank, reverse=True)
        del self.held[self._most :]
        return made

    def end(self, best: float, length: int) -> Literal["enough", "settled"] | None:
        """Why a search ends whose best continuation has this sum and length; None if it goes on.

        Whether the best one could yet outdo the worst that is held is a guess where the length
        penalty makes scores grow with the length: by the current length, or, with
        early_stopping="never", by the longest one.
        """
        if len(self.held) < self._most:
            return None
        if self._ends_early:
            return "enough"
        if self._is_exact and self._length_penalty > 0:
            length = self._max_new_tokens
        possible = rank_of(best, length, self._length_penalty)
        return None if possible > self.rank(self.held[-1]) else "settled"

    def rank(self, one: Hypothesis) -> Rank:
        """What finished continuations are compared by, the larger the better."""
        return rank_of(one.node.total, one.node.length, self._length_penalty)


def score_of(total: float, length: int, penalty: float) -> float:
    """total / length ** penalty, for any penalty: 0 or infinite where no float64 holds it."""
    power = pow_of(length, penalty)
    if power == math.inf:
        return math.copysign(0.0, total)
    if power == 0:
        return math.copysign(math.inf, total) if total else 0.0
    return total / power


def rank_of(total: float, length: int, penalty: float) -> Rank:
    """What texts are compared by, the larger the better: the score where a float64 holds it.

    Of scores that it does not hold the sign and the logarithm decide, then the total.
    """
    score = score_of(total, length, penalty)
    if total == 0 or (score != 0 and math.isfinite(score)):
        return (score, 0.0, 0.0, 0.0)
    sign = math.copysign(1.0, total)
    return (score, sign, sign * (log_of(abs(total)) - penalty * log_of(length)), total)
