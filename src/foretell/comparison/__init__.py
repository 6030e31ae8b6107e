"""Comparing strategies: the same prompt under several settings, side by side."""

from foretell.comparison.figures import Figures
from foretell.comparison.results import Comparison, Run, StrategyResult
from foretell.comparison.running import (
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
