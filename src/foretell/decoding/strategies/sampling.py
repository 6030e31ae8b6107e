"""Greedy decoding and sampling: one token a sequence, through the settings' processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage, build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.drafts.form import FormForesight
from foretell.decoding.fused.build import fuse, fuse_each, fuse_traced, set_apart
from foretell.decoding.fused.chain import FusedChain, draw
from foretell.decoding.logprobs import TokenReport, report
from foretell.decoding.philox import uniform as uniform_at
from foretell.decoding.processors.base import Adaptive, History
from foretell.decoding.sampler import greedy
from foretell.decoding.softmax import check_logits
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    ConfiguredStrategy,
    Draw,
    StrategyContext,
)
from foretell.decoding.trace import Recorder, TracedChain, num_runners_up
from foretell.errors import ConfigError
from foretell.outputs import LogprobStage
from foretell.utils.arrays import Logits


class _SequenceChain:
    """A sequence's own chain: processors may learn from what was drawn.

    Attributes:
        whole: all stages in one call in C++, where they may run so and nobody looks between them.
        masks: stages that run before `whole` does.
        traced: the same where it is to be traced.
    """

    def __init__(self, config: GenerationConfig, context: ChainContext) -> None:
        self._config, self._context = config, context
        self._stages = build_chain(config, context)
        self.whole: FusedChain | None = None
        self.masks: list[Stage] = []
        self.traced: TracedChain | None = None
        if tuple(config.logprobs_stage) == ("raw",):
            if config.trace:
                self.traced = fuse_traced(self._stages, config, context)
            else:
                self.masks, others = set_apart(self._stages)
                self.whole = fuse(others, config, context)

    @cached_property
    def stages(self) -> list[Stage]:
        """Stage by stage."""
        return fuse_each(self._stages, self._config, self._context)


class _Chains(dict[int, _SequenceChain]):
    """The sequences' chains by index, each made when it is first asked for.

    A dict that fills itself: each token looks its chain up, and that takes no call in Python.
    """

    def __init__(self, config: GenerationConfig, context: ChainContext) -> None:
        super().__init__()
        self._config, self._context = config, context

    def __missing__(self, index: int) -> _SequenceChain:
        made = self[index] = _SequenceChain(self._config, self._context)
        return made


@dataclass(frozen=True)
class _Sample:
    """What is known of a sample before it has a sequence."""

    index: int
    tokens: Sequence[int]
    num_prompt_tokens: int


class SamplingStrategy(ConfiguredStrategy):
    """Greedy decoding, or sampling through the settings' processors: one token a sequence.

    Of several samples each has its own chain and its own random stream, by its index.
    """

    verifies = True

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        if config.is_sampling and config.seed is None:
            raise ConfigError("seed=None cannot sample: must be an integer (see with_seed)")
        self._config = config
        self._chains = _Chains(config, context.chain)
        self._must_fork = config.num_return_sequences > 1  # with the first token
        self._seed = config.seed if config.is_sampling else None
        if context.chain.matchers is not None:
            self.foresight = FormForesight(context.chain.matchers)

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """Always."""
        return True

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices | list[Draw]:
        """One token for each row; the first row forks into as many samples as are asked for.

        A row is overwritten where the chain changes it.
        """
        if not self._must_fork:
            draws = [self._draw(row, one) for row, one in zip(rows, histories, strict=True)]
            fused = [draw for draw in draws if draw is not None]
            if len(fused) == len(draws):
                return fused
        return Choices(
            [
                Choice(parent, (self._token(row, history),))
                for parent, row, history in self.fan_out(rows, histories)
            ]
        )

    def fan_out(
        self, rows: Sequence[Logits], histories: Sequence[History]
    ) -> list[tuple[int, Logits, History]]:
        """For each token to be chosen: its parent, a row of its own, and what came before.

        The first time, one parent is that of all samples.
        """
        if not self._must_fork:
            return [*zip(range(len(rows)), rows, histories, strict=True)]
        self._must_fork = False
        return [(0, rows[0].copy(), sample) for sample in self._samples(histories[0])]

    def stages(self, history: History) -> Sequence[Stage]:
        """The sequence's own chain, stage by stage."""
        return self._chains[history.index].stages

    def choose(self, row: Logits, history: History, stages: Sequence[Stage]) -> ChosenToken:
        """Run one row through the stages, and take or draw its token."""
        recorder = LogprobRecorder(self._config, row)
        if not self._config.remove_invalid_values:
            check_logits(row)
        for stage in stages:
            if stage.is_sampling:
                recorder.processed(row)
            stage.processor(row, history)
            recorder.after(stage, row)
        recorder.processed(row)
        uniform = self._uniform(history)
        token_id = greedy(row) if uniform is None else draw(row, uniform)
        for stage in stages:
            if isinstance(stage.processor, Adaptive):
                stage.processor.accept(token_id)
        return recorder.token(row, token_id, uniform)

    def _samples(self, history: History) -> list[_Sample]:
        """All samples as they are before their first token."""
        count = range(self._config.num_return_sequences)
        return [_Sample(index, history.tokens, history.num_prompt_tokens) for index in count]

    def _draw(self, row: Logits, history: History) -> Draw | None:
        """How C++ can choose the row's token; None where the stages must run one by one."""
        own = self._chains[history.index]
        whole = own.whole
        if whole is None:
            return None
        whole.advance(history)
        raw = None if self._config.logprobs is None else row.copy()
        if own.masks:
            if not self._config.remove_invalid_values:
                check_logits(row)  # a broken one would come to look sound
            for mask in own.masks:
                mask.processor(row, history)
        uniform = 0.0  # greedy takes no notice of it
        if self._seed is not None:
            uniform = uniform_at(self._seed, history.index, len(history.tokens))
        return Draw(whole, uniform, raw, self._config.logprobs or 0)

    def _token(self, row: Logits, history: History) -> ChosenToken:
        own = self._chains[history.index]
        if own.traced is None:
            return self.choose(row, history, own.stages)
        num_top = self._config.logprobs
        uniform = self._uniform(history)
        record = own.traced.choose(row, history, uniform, num_runners_up(num_top))
        token_id = record.chosen.token_id
        reports: dict[LogprobStage, TokenReport] = {}
        if num_top is not None:
            reports["raw"] = report(row, token_id, num_top)  # the row is still the model's
        return ChosenToken(token_id, reports, record)

    def _uniform(self, history: History) -> float | None:
        if self._seed is None:
            return None
        return uniform_at(self._seed, history.index, len(history.tokens))


class LogprobRecorder:
    """Keeps of one row's way through the chain what the request wants reported."""

    def __init__(self, config: GenerationConfig, row: Logits) -> None:
        self._num_top = config.logprobs
        self._stages_kept: tuple[LogprobStage, ...] = ()
        if config.logprobs is not None:
            self._stages_kept = cast(tuple[LogprobStage, ...], config.logprobs_stage)
        self._is_greedy = not config.is_sampling
        self._rows: dict[LogprobStage, Logits] = {}
        self._keep("raw", row)
        self._recorder: Recorder | None = None
        if config.trace:
            self._recorder = Recorder(row, num_runners_up(config.logprobs))

    def _keep(self, stage: LogprobStage, row: Logits) -> None:
        if stage in self._stages_kept and stage not in self._rows:
            self._rows[stage] = row.copy()

    def processed(self, row: Logits) -> None:
        """Penalties and masks are done; the first call counts."""
        self._keep("processed", row)

    def after(self, stage: Stage, row: Logits) -> None:
        """A stage has changed the row."""
        if self._recorder is not None:
            self._recorder.after(stage, row)

    def token(self, row: Logits, token_id: int, uniform: float | None) -> ChosenToken:
        """The token chosen, with all that is to be reported of it."""
        if "final" in self._stages_kept:
            self._keep("final", _certain(row, token_id) if self._is_greedy else row)
        num_top = self._num_top or 0
        reports = {
            stage: report(self._rows[stage], token_id, num_top) for stage in self._stages_kept
        }
        trace = None if self._recorder is None else self._recorder.finish(token_id, uniform)
        return ChosenToken(token_id, reports, trace)


def _certain(row: Logits, token: int) -> Logits:
    """The distribution of a greedy choice: all of it on one token."""
    certain = np.full_like(row, -np.inf)
    certain[token] = 0.0
    return certain
