"""Strategies: what the sequences of one request do next.

A strategy is given the logits rows of its request's live sequences and answers with choices
`(parent, token)`. The first child of a parent goes on in place, a parent without children is freed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage, chain
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.build import fuse, fuse_each, fuse_traced
from foretell.decoding.fused.chain import FusedChain, draw
from foretell.decoding.logprobs import NO_REPORTS, TokenReport, report
from foretell.decoding.philox import uniform
from foretell.decoding.processors.base import Adaptive, History
from foretell.decoding.processors.guidance import guide
from foretell.decoding.sampler import greedy
from foretell.decoding.softmax import check_logits
from foretell.decoding.trace import Recorder, StepRecord, TracedChain
from foretell.errors import ConfigError, RequestError
from foretell.outputs import LogprobStage, StopReason
from foretell.utils.arrays import Logits


class Choice(NamedTuple):
    """One token that goes on from a live sequence.

    `parent` is the sequence's place among the rows. `reports` has the log-probabilities at each
    stage that the request asked for, `trace` what each processor did, if it was asked for.
    """

    parent: int
    token_id: int
    reports: Mapping[LogprobStage, TokenReport] = NO_REPORTS
    trace: StepRecord | None = None


class SampleToken(NamedTuple):
    """A token of a sample, as certain as it will be; with its last one the reason and the score."""

    sample: int
    token_id: int
    reports: Mapping[LogprobStage, TokenReport] = NO_REPORTS
    stop_reason: StopReason | None = None
    score: float | None = None


class FusedDraw(NamedTuple):
    """One row's choice, to be made in one call with those of other requests.

    `raw` is a copy of the model's row where its log-probabilities are to be reported, with
    `num_top` alternatives.
    """

    chain: FusedChain
    number: float
    raw: Logits | None
    num_top: int

    def choice(self, token_id: int) -> Choice:
        """The choice of this token."""
        if self.raw is None:
            return Choice(0, token_id)
        return Choice(0, token_id, {"raw": report(self.raw, token_id, self.num_top)})


class PerSequence:
    """A strategy whose sequences are the samples: it has no more to say than they grow by."""

    speaks = False

    def said(self) -> list[SampleToken]:
        """Nothing."""
        return []


class Strategy(Protocol):
    """Decides, step by step, what the sequences of one request do."""

    @property
    def generates(self) -> bool:
        """Whether it ever answers with a choice, so that sequences grow."""
        ...

    @property
    def speaks(self) -> bool:
        """Whether the samples' tokens are what it says, not what its sequences grow by."""
        ...

    def choose(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Choice]:
        """Answer for the rows of all live sequences, which are the strategy's to overwrite.

        Each row is `(vocab_size,)`. A parent's first choice goes on in its place; further ones fork
        it, and get the next numbers in the order in which they come.
        """
        ...

    def plan(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[FusedDraw] | None:
        """How each sequence's token can be chosen in C++; None where `choose` must."""
        ...

    def said(self) -> list[SampleToken]:
        """The samples' tokens that have become certain with the last choice, if it speaks."""
        ...


@dataclass(frozen=True)
class _SequenceChain:
    """A sequence's chain: stage by stage, and whole or watched in C++, where it may run so."""

    stages: list[Stage]
    whole: FusedChain | None
    watched: TracedChain | None


@dataclass(frozen=True)
class _Sample:
    """What is known of a sample before it has a sequence."""

    index: int
    tokens: Sequence[int]
    num_prompt_tokens: int


class SamplingStrategy(PerSequence):
    """Greedy decoding, or sampling through the settings' processors: one token a sequence.

    Of several samples each has its own chain and its own random stream, by its number.
    """

    generates = True

    def __init__(self, config: GenerationConfig, context: ChainContext) -> None:
        if config.samples and config.seed is None:
            raise ConfigError("seed=None cannot sample: must be an integer (see with_seed)")
        self._config = config
        self._context = context
        self._lines: dict[int, _SequenceChain] = {}
        self._has_forked = False

    def choose(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Choice]:
        """One choice for each row; the first row forks into as many samples as are asked for.

        A row is overwritten where the chain changes it.
        """
        return [self._choice(*line) for line in self.lines(rows, histories)]

    def lines(
        self, rows: Sequence[Logits], histories: Sequence[History]
    ) -> list[tuple[int, Logits, History]]:
        """For each token to be chosen: its parent's place, a row of its own, and what came before.

        The first time, one parent may be that of all samples.
        """
        if not self._must_fork(histories):
            return [*zip(range(len(rows)), rows, histories, strict=True)]
        self._has_forked = True
        return [(0, rows[0].copy(), sample) for sample in self._samples(histories[0])]

    def stages(self, history: History) -> Sequence[Stage]:
        """The sequence's own chain, stage by stage."""
        return self._line(history).stages

    def plan(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[FusedDraw] | None:
        """How to choose these rows' tokens in C++, together with other rows."""
        if self._must_fork(histories):
            return None
        draws = [self._fused_draw(row, one) for row, one in zip(rows, histories, strict=True)]
        known = [draw for draw in draws if draw is not None]
        return known if len(known) == len(draws) else None

    def _must_fork(self, histories: Sequence[History]) -> bool:
        return not self._has_forked and self._config.num_return_sequences > len(histories)

    def _samples(self, history: History) -> list[_Sample]:
        """All samples as they are before their first token."""
        count = range(self._config.num_return_sequences)
        return [_Sample(index, history.tokens, history.num_prompt_tokens) for index in count]

    def _fused_draw(self, row: Logits, history: History) -> FusedDraw | None:
        whole = self._line(history).whole
        if whole is None:
            return None
        whole.advance(history)
        raw = None if self._config.logprobs is None else row.copy()
        number = self._number(history) or 0.0  # greedy takes no notice of it
        return FusedDraw(whole, number, raw, self._config.logprobs or 0)

    def choose_one(
        self, parent: int, row: Logits, history: History, stages: Sequence[Stage]
    ) -> Choice:
        """Run one row through the stages, and take or draw its token."""
        observer = LogprobRecorder(self._config, row)
        if not self._config.remove_invalid_values:
            check_logits(row)
        for stage in stages:
            if stage.samples:
                observer.processed(row)
            stage.processor(row, history)
            observer.after(stage, row)
        observer.processed(row)
        number = self._number(history)
        token = greedy(row) if number is None else draw(row, number)
        for stage in stages:
            if isinstance(stage.processor, Adaptive):
                stage.processor.accept(token)
        return observer.choice(parent, row, token, number)

    def _choice(self, parent: int, row: Logits, history: History) -> Choice:
        line = self._line(history)
        if line.watched is None:
            return self.choose_one(parent, row, history, line.stages)
        record = line.watched.choose(row, history, self._number(history))
        token, num_top = record.chosen.token_id, self._config.logprobs
        reports: dict[LogprobStage, TokenReport] = {}
        if num_top is not None:
            reports["raw"] = report(row, token, num_top)  # the row is still the model's
        return Choice(parent, token, reports, record)

    def _number(self, history: History) -> float | None:
        if self._config.seed is None or not self._config.samples:
            return None
        return uniform(self._config.seed, history.index, len(history.tokens))

    def _line(self, history: History) -> _SequenceChain:
        """The sequence's own chain: processors may learn from what was drawn."""
        if history.index not in self._lines:
            stages = chain(self._config, self._context)
            whole = watched = None
            if tuple(self._config.logprobs_stage) == ("raw",):
                if self._config.trace:
                    watched = fuse_traced(stages, self._config, self._context)
                else:
                    whole = fuse(stages, self._config, self._context)
            each = fuse_each(stages, self._config, self._context)
            self._lines[history.index] = _SequenceChain(each, whole, watched)
        return self._lines[history.index]


class GuidedStrategy(PerSequence):
    """Classifier-free guidance (arXiv 2306.17806): two sequences, and one token for both.

    The first follows the prompt, the second the negative prompt; the first's row is pulled away
    from the second's before the settings' processors have it.
    """

    generates = True

    def __init__(self, config: GenerationConfig, context: ChainContext) -> None:
        self._scale = 1.0 if config.guidance_scale is None else config.guidance_scale
        self._inner = SamplingStrategy(config, context)

    def choose(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Choice]:
        """For each sample one token, for both of its sequences, which lie side by side."""
        for negative in rows[1::2]:
            check_logits(negative)
        choices = []
        for pair, row, history in self._inner.lines(rows[::2], histories[::2]):
            stages = [self._guidance(rows[2 * pair + 1]), *self._inner.stages(history)]
            choice = self._inner.choose_one(2 * pair, row, history, stages)
            choices += [choice, Choice(2 * pair + 1, choice.token_id)]
        return choices

    def _guidance(self, negative: Logits) -> Stage:
        def pull(row: Logits, history: History) -> None:
            guide(row, negative, self._scale)

        return Stage("guidance_scale", f"{self._scale:g}", pull, samples=False)

    def plan(self, rows: Sequence[Logits], histories: Sequence[History]) -> None:
        """Never: two rows make one token."""


class LogprobRecorder:
    """Keeps of one row's way through the chain what the request wants told."""

    def __init__(self, config: GenerationConfig, row: Logits) -> None:
        self._num_top = config.logprobs
        self._wanted: tuple[LogprobStage, ...] = ()
        if config.logprobs is not None:
            self._wanted = cast(tuple[LogprobStage, ...], config.logprobs_stage)
        self._is_greedy = not config.samples
        self._rows: dict[LogprobStage, Logits] = {}
        self._keep("raw", row)
        self._recorder = Recorder(row) if config.trace else None

    def _keep(self, stage: LogprobStage, row: Logits) -> None:
        if stage in self._wanted and stage not in self._rows:
            self._rows[stage] = row.copy()

    def processed(self, row: Logits) -> None:
        """Penalties and masks are done; the first call counts."""
        self._keep("processed", row)

    def after(self, stage: Stage, row: Logits) -> None:
        """A stage has changed the row."""
        if self._recorder is not None:
            self._recorder.after(stage, row)

    def choice(self, parent: int, row: Logits, token: int, number: float | None) -> Choice:
        """The choice of a token, with all that was to be told of it."""
        if "final" in self._wanted:
            self._keep("final", _certain(row, token) if self._is_greedy else row)
        num_top = self._num_top or 0
        reports = {stage: report(self._rows[stage], token, num_top) for stage in self._wanted}
        trace = None if self._recorder is None else self._recorder.finish(token, number)
        return Choice(parent, token, reports, trace)


def _certain(row: Logits, token: int) -> Logits:
    """The distribution of a greedy choice: all of it on one token."""
    certain = np.full_like(row, -np.inf)
    certain[token] = 0.0
    return certain


class LogitsProbe(PerSequence):
    """Looks at the logits after the prompt and generates nothing.

    Attributes:
        row: a copy of the last logits row seen, `(vocab_size,)`; None before the first.
    """

    generates = False

    def __init__(self) -> None:
        self.row: Logits | None = None

    def choose(self, rows: Sequence[Logits], histories: Sequence[History]) -> list[Choice]:
        """Keep the row; no choice, so the sequence ends."""
        self.row = rows[-1].copy()
        return []

    def plan(self, rows: Sequence[Logits], histories: Sequence[History]) -> None:
        """Never: no token is chosen."""

    def require_row(self) -> Logits:
        """The row seen; RequestError before there was one."""
        if self.row is None:
            raise RequestError("no logits were seen: the request has not run")
        return self.row
