"""Comparing strategies: the same prompt under several settings, side by side."""

from foretell.analysis.compare.comparison import Comparison, chunk_labels, compare
from foretell.analysis.compare.figures import Figures
from foretell.analysis.compare.results import Run, RunChunk, StrategyResult
from foretell.analysis.compare.strategies import (
    DEFAULT_STRATEGIES,
    Strategies,
    Strategy,
    plan_strategies,
    read_seeds,
    read_strategies,
)

__all__ = [
    "DEFAULT_STRATEGIES",
    "Comparison",
    "Figures",
    "Run",
    "RunChunk",
    "Strategies",
    "Strategy",
    "StrategyResult",
    "chunk_labels",
    "compare",
    "plan_strategies",
    "read_seeds",
    "read_strategies",
]
