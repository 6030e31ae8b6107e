"""Comparing strategies: the same prompt under several settings, side by side."""

from foretell.analysis.compare.figures import Figures
from foretell.analysis.compare.results import Comparison, Run, StrategyResult
from foretell.analysis.compare.running import (
    DEFAULT_STRATEGIES,
    Strategies,
    compare,
    read_seeds,
    read_strategies,
)

__all__ = [
    "DEFAULT_STRATEGIES",
    "Comparison",
    "Figures",
    "Run",
    "Strategies",
    "StrategyResult",
    "compare",
    "read_seeds",
    "read_strategies",
]
