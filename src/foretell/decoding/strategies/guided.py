"""Classifier-free guidance: two sequences make one token."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage
from foretell.decoding.processors.base import History
from foretell.decoding.processors.guidance import guide
from foretell.decoding.softmax import check_logits
from foretell.decoding.strategies.base import Choice, Choices, ConfiguredStrategy, StrategyContext
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.utils.arrays import Logits


class GuidedStrategy(ConfiguredStrategy):
    """Classifier-free guidance (arXiv 2306.17806): two sequences, and one token for both.

    The first follows the prompt, the second the negative prompt; the first's row is pulled away
    from the second's before the settings' processors have it.
    """

    verifies = True

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        self._scale = 1.0 if config.guidance_scale is None else config.guidance_scale
        self._inner = SamplingStrategy(config, context)
        self.foresight = self._inner.foresight

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """Where there is a negative prompt."""
        return is_guided

    @staticmethod
    def num_sequences(config: GenerationConfig) -> int:
        """For each sample its own, and one of the negative prompt."""
        return 2 * config.num_return_sequences

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
        """For each sample one token, for both of its sequences, which lie side by side."""
        for negative in rows[1::2]:
            check_logits(negative)
        choices = []
        for pair, row, history in self._inner.fan_out(rows[::2], histories[::2]):
            stages = [self._guidance(rows[2 * pair + 1]), *self._inner.stages(history)]
            token = self._inner.choose(row, history, stages)
            choices += [Choice(2 * pair, (token,)), Choice(2 * pair + 1, (token,))]
        return Choices(choices)

    def _guidance(self, negative: Logits) -> Stage:
        def pull(row: Logits, history: History) -> None:
            guide(row, negative, self._scale)

        return Stage("guidance_scale", f"{self._scale:g}", pull, is_sampling=False)
