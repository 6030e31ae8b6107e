"""The engine: requests in, events out, one ragged batch a step (rows 3 to 6 of the design).

    schedule → forward → commit

It knows ids only. It is synchronous, and belongs to one thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from foretell.backends.base import Backend, Logits
from foretell.decoding.fused import choose
from foretell.decoding.logprobs import report
from foretell.decoding.strategies import Choice, FusedDraw
from foretell.engine.batches import assemble
from foretell.engine.events import EndEvent, Event, PromptEvent, TokenEvent
from foretell.engine.request import Request, RequestState
from foretell.engine.scheduler import Scheduler, Span
from foretell.errors import ForetellError, NumericalError
from foretell.outputs import FinishReason


@dataclass(frozen=True)
class _Draw:
    """A request whose token is to be chosen from this row of the step's logits."""

    state: RequestState
    row: int
    plan: FusedDraw


class Engine:
    """Runs requests on a backend, many at once."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._info = backend.info
        self._scheduler = Scheduler(self._info)
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

    def check(self, request: Request) -> None:
        """Raise RequestError if the request could never run here."""
        request.check(self._info)

    def add(self, request: Request) -> int:
        """Queue a request and return its id; RequestError if it could never run."""
        self.check(request)
        state = RequestState(self._num_added, request, self._info)
        self._num_added += 1
        self._states[state.id] = state
        self._scheduler.add(state)
        return state.id

    def abort(self, request_id: int) -> None:
        """Drop a request and free its blocks; nothing happens if it has ended."""
        if request_id in self._states:
            self._forget(self._states[request_id])

    def step(self) -> list[Event]:
        """Run one batch and return what came of it.

        If the backend or a strategy raises, the requests that were running end with the reason
        "error", told by the next step, and the exception goes on to the caller.
        """
        try:
            spans = self._scheduler.schedule()
            if spans:
                batch = assemble(spans, self._info.block_size)
                self._commit(spans, self._backend.forward(batch))
        except BaseException as error:
            self._fail_running(error)
            raise
        events, self._events = self._events, []
        return events

    def _commit(self, spans: list[Span], logits: Logits) -> None:
        draws: list[_Draw] = []
        stop = 0
        try:
            for span in spans:
                start, stop = stop, stop + span.num_rows
                try:
                    plan = self._advance(span, logits[start:stop])
                except ForetellError as error:
                    self._end(span.state, "error", error)
                else:
                    if plan is not None:
                        draws.append(_Draw(span.state, stop - 1, plan))
        finally:  # whatever one strategy raises, the tokens of the others are chosen
            self._draw(logits, draws)

    def _draw(self, logits: Logits, draws: list[_Draw]) -> None:
        """Choose the tokens of all usual chains in one call."""
        tokens = choose(
            logits,
            [draw.row for draw in draws],
            [draw.plan.chain for draw in draws],
            [draw.plan.number for draw in draws],
        )
        for draw, token in zip(draws, tokens, strict=True):
            if isinstance(token, NumericalError):
                self._end(draw.state, "error", token)
            else:
                self._append(draw.state, draw.plan.choice(token))

    def _advance(self, span: Span, rows: Logits) -> FusedDraw | None:
        """Take a span's rows; let its strategy choose, or give what can be chosen with others."""
        state, sequence = span.state, span.sequence
        if state.wants_prompt_rows(sequence):
            self._report_prompt(span, rows)
        sequence.num_computed = span.stop
        if sequence.num_pending:
            return None
        ready = state.collect(sequence, rows[-1:])
        if ready is None:
            return None
        plan = state.strategy.plan(ready[0], sequence) if len(ready) == 1 else None
        if plan is not None:
            return plan
        choices = state.strategy.choose(ready, state.sequences)
        for choice in choices[1:]:
            state.sequences[choice.parent].tokens.append(choice.token_id)
        if choices:
            self._append(state, choices[0])
        else:
            self._end(state, "stop")
        return None

    def _report_prompt(self, span: Span, rows: Logits) -> None:
        """The row at a position tells of the token after it."""
        count = span.state.request.prompt_logprobs or 0
        sequence = span.sequence
        followers = sequence.tokens[span.start + 1 : span.stop + 1]
        pairs = zip(rows, followers, strict=False)  # nothing follows the prompt's last row yet
        reports = [report(row, token, count) for row, token in pairs]
        self._events.append(PromptEvent(span.state.id, reports))

    def _append(self, state: RequestState, choice: Choice) -> None:
        state.sequence.tokens.append(choice.token_id)
        reason = state.stop_rules.check(state.sequence)
        event = TokenEvent(state.id, choice.token_id, choice.reports, reason, choice.trace)
        self._events.append(event)
        if reason is not None:
            self._forget(state)

    def _end(
        self, state: RequestState, reason: FinishReason, error: ForetellError | None = None
    ) -> None:
        self._events.append(EndEvent(state.id, reason, error))
        self._forget(state)

    def _forget(self, state: RequestState) -> None:
        del self._states[state.id]
        self._scheduler.remove(state)

    def _fail_running(self, error: BaseException) -> None:
        told = (
            error
            if isinstance(error, ForetellError)
            else ForetellError(f"a step failed: {error!r}")
        )
        for state in self._scheduler.running:
            self._end(state, "error", told)
