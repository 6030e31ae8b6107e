"""The engine: requests in, events out, one ragged batch a step.

    schedule → copy, forward → choose → commit

It knows ids only. It is synchronous, and belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import NamedTuple

from foretell.backends.base import Backend, Logits
from foretell.decoding.fused.chain import choose
from foretell.decoding.logprobs import report
from foretell.decoding.strategies import Choice, FusedDraw, SampleToken
from foretell.decoding.trace import StepRecord
from foretell.engine.batch import assemble
from foretell.engine.events import EndEvent, Event, PromptEvent, TokenEvent
from foretell.engine.request import Request, RequestState
from foretell.engine.scheduler import Scheduler
from foretell.engine.sequence import Sequence
from foretell.engine.settings import EngineSettings
from foretell.engine.stats import EngineStats, Meter
from foretell.engine.step_plan import Span, StepPlan
from foretell.errors import ForetellError, NumericalError, QueueFullError
from foretell.outputs import FinishReason


class _Draw(NamedTuple):
    """A sequence whose token is to be chosen from this row of the step's logits."""

    state: RequestState
    sequence: Sequence
    row: int
    plan: FusedDraw


@dataclass
class _Arrival:
    """The rows of a step that belong to a request's sequences."""

    state: RequestState
    rows: dict[Sequence, int]


class Engine:
    """Runs requests on a backend, many at once.

    What a request is answered depends on nothing but the request: not on what runs beside it, nor
    on the settings.
    """

    def __init__(self, backend: Backend, settings: EngineSettings | None = None) -> None:
        self._backend = backend
        self._info = backend.info
        self._settings = settings or EngineSettings()
        self._meter = Meter()
        self._scheduler = Scheduler(self._info, self._settings, self._meter)
        self._states: dict[int, RequestState] = {}
        self._events: list[Event] = []
        self._num_added = 0

    @property
    def has_work(self) -> bool:
        """Whether another step has something to run or to report."""
        return self._scheduler.has_work or bool(self._events)

    @property
    def num_free_blocks(self) -> int:
        """KV blocks that no request holds."""
        return self._scheduler.pool.num_free

    def stats(self) -> EngineStats:
        """What the engine is doing and has done so far."""
        scheduler, meter = self._scheduler, self._meter
        return EngineStats(
            running=len(scheduler.running),
            waiting=scheduler.num_waiting,
            num_blocks=scheduler.pool.num_blocks,
            free_blocks=scheduler.pool.num_free,
            cached_blocks=scheduler.pool.num_kept,
            prompt_tokens=meter.prompt_tokens,
            cached_tokens=meter.cached_tokens,
            generated_tokens=meter.generated_tokens,
            preemptions=scheduler.preemptions,
            steps=meter.steps,
            tokens_per_second=meter.tokens_per_second,
        )

    def check(self, request: Request) -> None:
        """Raise RequestError if the request could never run here."""
        request.check(self._info)
        request.check_running(self._scheduler.max_running)

    def add(self, request: Request, *, is_checked: bool = False) -> int:
        """Queue a request and return its id; `is_checked` says that `check` let it pass already.

        Raises:
            QueueFullError: as many wait as may.
            RequestError: it could never run.
        """
        if not is_checked:
            self.check(request)
        most = self._settings.max_waiting
        if most is not None and self._scheduler.num_waiting >= most:
            raise QueueFullError(f"max_waiting={most}: so many requests wait already")
        state = RequestState(self._num_added, request, self._info)
        self._num_added += 1
        self._states[state.id] = state
        self._scheduler.add(state)
        return state.id

    def abort(self, request_id: int, sequence: int | None = None) -> None:
        """Drop a request, or one of its samples, and free its blocks.

        Nothing happens if it has ended.
        """
        state = self._states.get(request_id)
        if state is None:
            return
        self._close(state, [*state.open_samples] if sequence is None else [sequence])

    def step(self) -> list[Event]:
        """Run one batch and return what came of it.

        If the backend raises, the requests that were running end with the reason "error", told by
        the next step, and the exception goes on to the caller. What a strategy or a user's function
        raises ends its own request only.
        """
        try:
            if self._scheduler.has_work:
                with self._meter.step():
                    plan = self._scheduler.schedule()
                    self._commit(plan.spans, self._forward(plan))
        except BaseException as error:
            self._fail_running(error)
            raise
        events, self._events = self._events, []
        return events

    def _forward(self, plan: StepPlan) -> Logits:
        if plan.copies:
            self._backend.copy_blocks(plan.copies)
        return self._backend.forward(assemble(plan.spans, self._info.block_size))

    def _commit(self, spans: Items[Span], logits: Logits) -> None:
        """Take the step's rows, and choose the tokens of all usual chains in one call."""
        draws: list[_Draw] = []
        try:
            for arrival in self._arrivals(spans, logits):
                try:
                    draws += self._advance(arrival, logits)
                except Exception as error:  # noqa: BLE001 - a user's function may raise anything
                    self._fail(arrival.state, error)
        finally:  # whatever is raised, the tokens of the others are chosen
            self._draw(logits, draws)

    def _arrivals(self, spans: Items[Span], logits: Logits) -> list[_Arrival]:
        """Which rows tell what comes next; those that tell of the prompt are reported."""
        arrivals: dict[int, _Arrival] = {}
        stop = 0
        for span in spans:
            start, stop = stop, stop + span.num_rows
            if not span.state.open_samples:  # another of its spans has failed
                continue
            self._scheduler.note_computed(span)
            if not self._report_prompt(span, logits[start:stop]):
                continue
            if not span.sequence.num_pending:
                arrival = arrivals.setdefault(span.state.id, _Arrival(span.state, {}))
                arrival.rows[span.sequence] = stop - 1
        return [*arrivals.values()]

    def _advance(self, arrival: _Arrival, logits: Logits) -> list[_Draw]:
        """Let a request's strategy choose, or give what can be chosen together with others."""
        state, places = arrival.state, arrival.rows
        rows = state.collect({sequence: logits[place] for sequence, place in places.items()})
        if rows is None:
            return []
        is_whole = len(places) == len(rows)
        plans = state.strategy.plan(rows, state.live) if is_whole else None
        if plans is None:
            self._grow(state, state.strategy.choose(rows, state.live))
            return []
        return [
            _Draw(state, sequence, places[sequence], plan)
            for sequence, plan in zip(state.live, plans, strict=True)
        ]

    def _draw(self, logits: Logits, draws: Items[_Draw]) -> None:
        tokens = choose(
            logits,
            [draw.row for draw in draws],
            [draw.plan.chain for draw in draws],
            [draw.plan.number for draw in draws],
        )
        for draw, token in zip(draws, tokens, strict=True):
            if isinstance(token, ForetellError):
                self._fail(draw.state, token)
            elif draw.sequence.index in draw.state.open_samples:
                self._append(draw.state, draw.sequence, draw.plan.choice(token))

    def _grow(self, state: RequestState, choices: Items[Choice]) -> None:
        """Sequences go on, fork, or are left: the first child of a parent goes on in its place."""
        parents = state.live
        children = [parents[choice.parent] for choice in choices]
        for place, child in enumerate(children):
            if child in children[:place]:
                known = [*parents, *children[:place]]
                index = 1 + max(one.index for one in known if _alike(one, child))
                children[place] = self._scheduler.fork(child, index)
        for parent in parents:
            if parent not in children:
                self._scheduler.release(parent)
        state.grow(children)
        if state.strategy.speaks:
            self._say(state, choices)
            return
        for child, choice in zip(children, choices, strict=True):
            self._append(state, child, choice)
        if not choices:
            self._end(state, "stop")

    def _say(self, state: RequestState, choices: Items[Choice]) -> None:
        """Sequences grow silently, and samples by what the strategy says."""
        for sequence, choice in zip(state.live, choices, strict=True):
            sequence.tokens.append(choice.token_id)
        for said in state.strategy.said():
            if said.sample in state.open_samples:
                self._tell(state, said)
                if said.stop_reason is not None:
                    self._close(state, [said.sample])

    def _report_prompt(self, span: Span, rows: Logits) -> bool:
        """Report what was asked for and is new; False if the rows are broken, which ends it.

        The row at a position tells of the token after it.
        """
        state = span.state
        if not state.wants_prompt_rows(span.sequence) or span.stop <= state.num_reported:
            return True
        count = state.request.prompt_logprobs or 0
        first = span.stop - len(rows)
        followers = span.sequence.tokens[first + 1 : span.stop + 1]
        pairs = zip(rows, followers, strict=False)  # nothing follows the prompt's last row yet
        try:
            reports = [report(row, token, count) for row, token in pairs]
        except NumericalError as error:
            self._fail(state, error)
            return False
        state.num_reported = span.stop
        self._events.append(PromptEvent(state.id, reports))
        return True

    def _append(self, state: RequestState, sequence: Sequence, choice: Choice) -> None:
        """A sequence goes on with a token; if it is the last, it is closed."""
        sequence.tokens.append(choice.token_id)
        if not sequence.is_visible:
            return
        if sequence.index not in state.open_samples:  # given up before it was forked
            self._close(state, [sequence.index])
            return
        reason = state.stop_rules.check(sequence)
        said = SampleToken(sequence.index, choice.token_id, choice.reports, reason)
        self._tell(state, said, choice.trace)
        if reason is not None:
            self._close(state, [sequence.index])

    def _tell(
        self, state: RequestState, said: SampleToken, trace: StepRecord | None = None
    ) -> None:
        """Report a sample's token."""
        is_first = said.sample not in state.told_samples
        state.told_samples.add(said.sample)
        self._meter.generated_tokens += 1
        self._events.append(
            TokenEvent(
                state.id,
                said.token_id,
                said.reports,
                said.stop_reason,
                trace,
                said.sample,
                state.cached_tokens if is_first else 0,
                said.score,
            )
        )

    def _fail(self, state: RequestState, error: Exception) -> None:
        self._end(state, "error", error)

    def _end(
        self, state: RequestState, reason: FinishReason, error: Exception | None = None
    ) -> None:
        """End what is left of a request."""
        for index in sorted(state.open_samples):
            self._events.append(EndEvent(state.id, reason, error, index))
        self._close(state, [*state.open_samples])

    def _close(self, state: RequestState, indices: Items[int]) -> None:
        """Samples have ended: their sequences are dropped, and with the last of all the request."""
        state.open_samples.difference_update(indices)
        if not state.open_samples:
            if self._states.pop(state.id, None):
                self._scheduler.remove(state)
            return
        for sequence in state.leave(indices):
            self._scheduler.release(sequence)
        if not state.live and not state.strategy.speaks:  # samples were left without a sequence
            self._end(state, "stop")

    def _fail_running(self, error: BaseException) -> None:
        told = (
            error
            if isinstance(error, ForetellError)
            else ForetellError(f"a step failed: {error!r}")
        )
        for state in self._scheduler.running:
            self._fail(state, told)


def _alike(one: Sequence, other: Sequence) -> bool:
    return one.is_visible == other.is_visible
