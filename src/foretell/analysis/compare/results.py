"""What a comparison gives back: the runs and figures of each strategy, and views of them."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.analysis.compare.figures import Figures
from foretell.config import GenerationConfig
from foretell.outputs import FinishReason, JsonMixin


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class StrategyResult(JsonMixin):
    """One strategy: its settings, without the seed; its runs, one a seed; and their figures."""

    name: str
    config: GenerationConfig
    runs: tuple[Run, ...]
    figures: Figures


@dataclass(frozen=True)
class Comparison(JsonMixin):
    """Several strategies over the same prompt, in the order in which they were named.

    Printed, it is a table of the figures; in a notebook, a table with the texts. `model` is the
    backend's description of what it runs.
    """

    prompt: str
    model: str
    results: tuple[StrategyResult, ...]

    def __str__(self) -> str:
        from foretell.analysis.compare.tables import table_lines

        return "\n".join(table_lines(self))

    def _repr_html_(self) -> str:
        from foretell.analysis.compare.tables import html_table

        return html_table(self)
