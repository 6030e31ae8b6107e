"""The parts of a comparison: the runs of each strategy, and their figures."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.analysis.compare.figures import Figures
from foretell.config import GenerationConfig
from foretell.outputs import FinishReason, JsonMixin


@dataclass(frozen=True, repr=False)
class Run(JsonMixin):
    """One text that a strategy wrote.

    `seed` is None where nothing was drawn. `token_ids` are the generated ids, an end-of-sequence
    token included; `logprobs` are their natural-log probabilities under the raw model.
    """

    text: str
    seed: int | None
    finish_reason: FinishReason
    token_ids: list[int]
    logprobs: list[float]


@dataclass(frozen=True, repr=False)
class StrategyResult(JsonMixin):
    """One strategy: its settings, without the seed; its runs, one a seed; and their figures."""

    name: str
    config: GenerationConfig
    runs: tuple[Run, ...]
    figures: Figures
