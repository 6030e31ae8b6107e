"""The parts of a comparison: the runs of each strategy, and their figures."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.analysis.compare.figures import Figures
from foretell.config import GenerationConfig
from foretell.outputs import Chunk, FinishReason, JsonMixin


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


@dataclass(frozen=True, repr=False)
class RunChunk(JsonMixin):
    """A piece of a text as it is written: whose it is, and the piece.

    It belongs to the run number `run` of the strategy named `strategy`, whose seed is `seed`, None
    where nothing is drawn.
    """

    strategy: str
    run: int
    seed: int | None
    chunk: Chunk
