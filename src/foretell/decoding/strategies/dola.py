"""DoLa: the last layer's opinion less that of an early one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage
from foretell.decoding.processors.base import History
from foretell.decoding.processors.layers import candidate_layers, contrast
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ConfiguredStrategy,
    StatesNeeded,
    StrategyContext,
)
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.utils.arrays import Logits


class DolaStrategy(ConfiguredStrategy):
    """Decoding by contrasting layers (arXiv 2309.03883), then as settings without it would.

    The row is contrasted before the settings' processors have it.
    """

    needs_states = "dola_layers"

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        found = config.dola_layers or ()
        wanted = found if isinstance(found, str) else tuple(found)
        self._setting = wanted if isinstance(wanted, str) else ",".join(map(str, wanted))
        self.states = StatesNeeded(
            early_layers=candidate_layers(
                wanted, context.num_layers, ties_embeddings=context.ties_embeddings
            )
        )
        self._inner = SamplingStrategy(config, context)
        self._early: dict[int, NDArray[np.float32]] = {}

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """With layers to contrast."""
        return config.dola_layers is not None

    def see(self, history: History, start: int, hidden: Logits, early: Logits) -> None:
        """Keep what the layers say of a sequence's next token."""
        if len(early):
            self._early[history.index] = early.copy()

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
        """For each sample one token."""
        early = [self._early.pop(history.index) for history in histories]
        choices = []
        for parent, row, history in self._inner.fan_out(rows, histories):
            stages = [self._contrast(early[parent]), *self._inner.stages(history)]
            choices.append(Choice(parent, (self._inner.choose(row, history, stages),)))
        return Choices(choices)

    def _contrast(self, early: NDArray[np.float32]) -> Stage:
        def against(row: Logits, history: History) -> None:
            contrast(row, early)

        return Stage("dola_layers", self._setting, against, is_sampling=False)
