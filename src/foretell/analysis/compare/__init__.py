"""Comparing strategies: the same prompt under several settings, side by side."""

from foretell.analysis.compare.comparison import Comparison, compare
from foretell.analysis.compare.figures import Figures
from foretell.analysis.compare.results import Run, StrategyResult
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
    "Strategies",
    "Strategy",
    "StrategyResult",
    "compare",
    "plan_strategies",
    "read_seeds",
    "read_strategies",
]
