"""A strategy that looks ahead: several tokens a step, the same as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from foretell.backends.scripted import Script
from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    Strategy,
    StrategyContext,
)
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.utils.arrays import Logits


class Foreseeing(Strategy):
    """Knows the script, so that it needs only each run's first row; runs are of these sizes."""

    def __init__(
        self,
        config: GenerationConfig,
        context: StrategyContext,
        script: Script,
        sizes: Sequence[int] = (3, 2, 1),
    ) -> None:
        self._inner = SamplingStrategy(config, context)
        self._script = script
        self._sizes = sizes
        self._num_steps = 0

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices:
        """A run for each sample."""
        size = self._sizes[self._num_steps % len(self._sizes)]
        self._num_steps += 1
        return Choices(
            [
                Choice(parent, self._run(row, history, size))
                for parent, row, history in self._inner.fan_out(rows, histories)
            ]
        )

    def _run(self, row: Logits, history: History, size: int) -> tuple[ChosenToken, ...]:
        past = SimpleNamespace(
            index=history.index,
            tokens=[*history.tokens],
            num_prompt_tokens=history.num_prompt_tokens,
        )
        run = []
        for _ in range(size):
            run.append(self._inner.choose(row, past, self._inner.stages(past)))
            past.tokens.append(run[-1].token_id)
            row = self._script(tuple(past.tokens))
        return tuple(run)
