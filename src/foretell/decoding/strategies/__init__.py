"""What the sequences of one request do next: a strategy a file, listed here.

The first strategy of the list that suits a request's settings is taken.
"""

from __future__ import annotations

from foretell.config import GenerationConfig
from foretell.decoding.strategies.base import ConfiguredStrategy
from foretell.decoding.strategies.beam import BeamStrategy
from foretell.decoding.strategies.constrained import ConstrainedStrategy
from foretell.decoding.strategies.contrastive import ContrastiveStrategy
from foretell.decoding.strategies.diverse import DiverseStrategy
from foretell.decoding.strategies.dola import DolaStrategy
from foretell.decoding.strategies.guided import GuidedStrategy
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.decoding.strategies.stochastic import StochasticStrategy

STRATEGIES: tuple[type[ConfiguredStrategy], ...] = (
    DiverseStrategy,
    ConstrainedStrategy,
    StochasticStrategy,
    BeamStrategy,
    ContrastiveStrategy,
    DolaStrategy,
    GuidedStrategy,
    SamplingStrategy,
)


def strategy_for(config: GenerationConfig, *, is_guided: bool) -> type[ConfiguredStrategy]:
    """The strategy that the settings ask for; `is_guided` if a negative prompt is given."""
    return next(kind for kind in STRATEGIES if kind.suits(config, is_guided=is_guided))
