"""The engine: requests in, events out, one ragged batch a step.

    schedule → forward → choose → commit

It knows ids only. It is synchronous, and takes one call at a time.
"""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Sequence as Items
from time import perf_counter
from typing import cast

from foretell.backends.base import Backend, StatefulBackend
from foretell.decoding.drafts.base import Drafter
from foretell.decoding.fused.chain import choose
from foretell.decoding.logprobs import report
from foretell.decoding.strategies.base import Choice, Choices, ChosenToken, Draw, SampleToken
from foretell.engine.answers import check_answer, check_each
from foretell.engine.batch import assemble
from foretell.engine.blocks import BlockPool
from foretell.engine.events import EndEvent, Event, PromptEvent, TokenEvent
from foretell.engine.prompt_rows import PromptRows
from foretell.engine.request import Request
from foretell.engine.request_state import RequestState, Rows
from foretell.engine.scheduler import Scheduler
from foretell.engine.sequence import Sequence
from foretell.engine.settings import EngineSettings
from foretell.engine.speculation import Speculator
from foretell.engine.states import hand_out, states_asked
from foretell.engine.stats import EngineStats, Meter
from foretell.engine.step_plan import Span, StepPlan
from foretell.errors import ForetellError, NumericalError, QueueFullError
from foretell.outputs import FinishReason, StopReason
from foretell.utils.arrays import Logits
from foretell.utils.quoting import TEXT, quote

NO_WAY_BACK = "the model keeps a state, which cannot go back to before a guess"

_Outcome = tuple[RequestState, Items[Sequence], Choices | list[ChosenToken] | BaseException]
"""What sequences of a request go on with: choices, a token for each, or why it cannot."""

_Drawing = tuple[RequestState, Rows, list[Draw]]
"""A request whose tokens are to be drawn: the rows of a table, and how each is drawn."""

_Drafted = tuple[Span, int]
"""A span with drafts, and its first row."""


class Engine:
    """Runs requests on a backend, many at once.

    What a request is answered depends on nothing but the request: not on what runs beside it, nor
    on the settings, nor on what a drafter guesses.
    """

    def __init__(
        self,
        backend: Backend,
        settings: EngineSettings | None = None,
        drafter: Drafter | None = None,
    ) -> None:
        self._backend = backend
        self._info = backend.info
        self._settings = settings or EngineSettings()
        self._meter = Meter()
        self._speculator = Speculator(drafter, None if self._info.can_go_back else NO_WAY_BACK)
        self._scheduler = Scheduler(self._info, self._settings, self._meter, self._speculator)
        self._states: dict[int, RequestState] = {}
        self._events: list[Event] = []
        self._is_ahead = False  # whether the tokens that come are of rows behind drafts
        self._looks_inside = False  # whether a strategy of a request that came does
        self._num_added = 0

    @property
    def has_work(self) -> bool:
        """Whether another step has something to run or to report."""
        return bool(self._states or self._events)

    @property
    def num_free_blocks(self) -> int:
        """KV blocks that no request holds."""
        return self._scheduler.pool.num_free

    @property
    def pool(self) -> BlockPool:
        """Who holds which KV block; another one after `recover`."""
        return self._scheduler.pool

    @property
    def backend(self) -> Backend:
        """What runs the model."""
        return self._backend

    @property
    def keeps_prefixes(self) -> bool:
        """Whether what was computed of a prompt can be found by others."""
        return self._settings.prefix_caching

    def prefix_keys(self, tokens: Items[int]) -> Items[bytes]:
        """The keys of the full blocks of these tokens, where prefixes are kept."""
        return self._scheduler.prefix_keys(tokens)

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
            draft_tokens=meter.draft_tokens,
            accepted_tokens=meter.accepted_tokens,
        )

    def check(self, request: Request) -> None:
        """Raise RequestError if the request could never run here."""
        request.check(self._info)
        request.check_running(self._scheduler.max_running)

    def longest_of(self, request: Request) -> int:
        """Positions that the request's sequence may come to take here."""
        return request.max_length(self._info)

    def add(self, request: Request, *, is_checked: bool = False) -> int:
        """Queue a request and return its id; `is_checked` if `check` let it pass already.

        Raises:
            QueueFullError: as many wait as may.
            RequestError: it could never run.
        """
        if not is_checked:
            self.check(request)
        most = self._settings.max_waiting
        if most is not None and self._scheduler.num_waiting >= most:
            raise queue_full(most)
        state = RequestState(self._num_added, request, self._info)
        if self._speculator.guesses or state.strategy.foresight is not None:
            self._speculator.follow(state)
        self._looks_inside |= state.strategy.states is not None
        self._num_added += 1
        self._states[state.id] = state
        self._scheduler.add(state)
        return state.id

    def abort(self, request_id: int, sample: int | None = None) -> None:
        """Drop a request, or one of its samples, and free its blocks.

        Nothing happens if it has ended.
        """
        state = self._states.get(request_id)
        if state is None:
            return
        self._close(state, [*state.open_samples] if sample is None else [sample])

    def discard(self, event: Event) -> None:
        """A step's event came behind the end of its text: without drafts it would not be there."""
        if isinstance(event, TokenEvent) and event.is_ahead:
            self._meter.generated_tokens -= 1
            self._meter.accepted_tokens -= 1

    def step(self) -> list[Event]:
        """Run one batch and return what came of it.

        If the backend raises, the requests that were running end with the reason "error", reported
        by the next step, and the exception goes on to the caller. What a strategy or a user's
        function raises, and a wrong answer of a strategy, end its own request only; Ctrl-C comes to
        the caller.
        """
        try:
            if self._states:
                started = perf_counter()
                plan = self._scheduler.schedule()
                logits = self._forward(plan)
                self._commit(self._choose(self._collect(plan.spans, logits), logits))
                if plan.has_drafts:
                    self._verify(plan.spans, logits)
                self._meter.note_step(perf_counter() - started)
        except Exception as error:
            self._fail_running(error)
            raise
        except BaseException as error:
            self.recover(error)
            raise
        events, self._events = self._events, []
        return events

    def _forward(self, plan: StepPlan) -> Logits:
        if plan.copies:
            self._backend.copy_blocks(plan.copies)
        batch = assemble(plan.spans, self._info.block_size)
        if self._looks_inside and (asked := states_asked(plan.spans)) is not None:
            backend = cast(StatefulBackend, self._backend)  # `check` has seen to it
            states = backend.forward_with_states(batch, asked)
            hand_out(plan.spans, states)
            return states.logits
        if not self._speculator.guesses:
            return self._backend.forward(batch)
        started = perf_counter()
        logits = self._backend.forward(batch)
        self._speculator.seconds = perf_counter() - started
        return logits

    # Choose

    def _choose(self, arrived: Items[tuple[RequestState, Rows]], logits: Logits) -> list[_Outcome]:
        """Let strategies decide; what C++ can draw is drawn in one call for all requests."""
        outcomes: list[_Outcome] = []
        together: list[_Drawing] = []
        for state, rows in arrived:
            table, indices, sequences = rows
            try:
                answer = state.strategy.step([table[row] for row in indices], sequences)
                num_sequences = state.request.num_sequences
                vocab_size = self._info.vocab_size
                check_answer(answer, state.strategy, len(indices), vocab_size, num_sequences)
                if self._is_ahead:
                    check_each(answer, state.strategy, len(indices))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a user's function may raise anything
                outcomes.append((state, sequences, error))
                continue
            if isinstance(answer, Choices):
                outcomes.append((state, sequences, answer))
            elif table is logits:
                together.append((state, rows, answer))
            else:
                outcomes += _draw(table, [(state, rows, answer)])
        return outcomes + _draw(logits, together)

    def _collect(self, spans: Items[Span], logits: Logits) -> list[tuple[RequestState, Rows]]:
        """The requests that can go on, each with the rows that its next tokens depend on.

        Log-probabilities of the prompt are reported.
        """
        arrived: dict[RequestState, dict[Sequence, int]] = {}
        stop = 0
        for span in spans:
            start, stop = stop, stop + span.num_rows
            if not span.state.open_samples:  # another of its spans has failed
                continue
            self._scheduler.note_computed(span.state, span.sequence, span.stop)
            if span.is_reported and not self._report_prompt(span, logits[start:stop]):
                continue
            if span.stop == len(span.sequence.tokens):
                row = stop - 1 - len(span.drafts)
                arrived.setdefault(span.state, {})[span.sequence] = row
        complete = []
        for state, indices in arrived.items():
            rows = state.collect(logits, indices)
            if rows is not None:
                complete.append((state, rows))
        return complete

    def _report_prompt(self, span: Span, rows: Logits) -> bool:
        """Report what was asked for and is new; False if the rows are broken, which ends it.

        The row at a position is the distribution of the token after it.
        """
        state = span.state
        if span.stop <= state.num_reported:
            return True
        if state.request.prompt_rows is not None:
            return self._show_prompt(state, state.request.prompt_rows, span.stop, rows)
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

    def _show_prompt(
        self, state: RequestState, wanted: PromptRows, stop: int, rows: Logits
    ) -> bool:
        """Show logits to who looks at them; False if that raises, which ends the request."""
        try:
            wanted.read(stop - len(rows), rows)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - it may raise anything
            self._fail(state, error)
            return False
        state.num_reported = stop
        self._events.append(PromptEvent(state.id, []))
        return True

    # Commit

    def _commit(self, outcomes: Items[_Outcome]) -> None:
        """Sequences go on, fork and are left; samples get their tokens, and end."""
        for state, sequences, answer in outcomes:
            if isinstance(answer, Choices):
                if self._is_ahead:
                    for sequence, choice in zip(sequences, answer.choices, strict=True):
                        self._extend(state, sequence, choice.tokens)
                else:
                    self._grow(state, answer)
            elif isinstance(answer, BaseException):
                self._fail(state, answer)
            else:
                for sequence, token in zip(sequences, answer, strict=True):
                    self._extend(state, sequence, (token,))

    def _verify(self, spans: Items[Span], logits: Logits) -> None:
        """Go on, token by token, in those sequences whose drafts were drawn, as far as they were.

        The row behind a draft is that of the sequence's next token, once the draft is in it: so
        each token is chosen as it would be in a step of its own, and nothing is ever undone.
        """
        drafted: list[_Drafted] = []
        stop = 0
        for span in spans:
            stop += span.num_rows
            if span.drafts:
                drafted.append((span, stop - span.num_rows))
        self._is_ahead = True
        try:
            while rows := self._accepted(drafted, logits):
                self._commit(self._choose(rows, logits))
        finally:
            self._is_ahead = False
        for span, _ in drafted:
            self._scheduler.drop_ahead(span.sequence)

    def _accepted(
        self, drafted: Items[_Drafted], logits: Logits
    ) -> list[tuple[RequestState, Rows]]:
        """The rows behind the sequences' ends, of those that have gone as their drafts foresaw."""
        found: dict[RequestState, dict[Sequence, int]] = {}
        for span, row in drafted:
            state, sequence = span.state, span.sequence
            new = sequence.tokens[span.stop :]
            count = len(new)
            is_foreseen = 0 < count <= len(span.drafts) and new == [*span.drafts[:count]]
            if is_foreseen and state.goes_on(sequence):
                self._scheduler.note_computed(state, sequence, span.stop + count)
                found.setdefault(state, {})[sequence] = row + count
        arrived = []
        for state, rows in found.items():
            sequences = [sequence for sequence in state.live if sequence in rows]
            indices = [rows[sequence] for sequence in sequences]
            arrived.append((state, Rows(logits, indices, sequences)))
        return arrived

    def _grow(self, state: RequestState, answer: Choices) -> None:
        children = self._children(state, answer.choices)
        state.live = children
        pairs = zip(children, answer.choices, strict=True)
        if state.strategy.emits:
            for child, choice in pairs:
                child.tokens += [token.token_id for token in choice.tokens]
            self._emit_finalized(state, answer.emitted)
            return
        for child, choice in pairs:
            self._extend(state, child, choice.tokens)
        if not answer.choices:
            self._end(state, "stop")

    def _children(self, state: RequestState, choices: Items[Choice]) -> list[Sequence]:
        """The sequence of each choice: a parent's first child goes on in its place, others fork."""
        parents = state.live
        children = [parents[choice.parent] for choice in choices]
        for number, child in enumerate(children):
            if child in children[:number]:
                known = [*parents, *children[:number]]
                index = 1 + max(one.index for one in known if _alike(one, child))
                children[number] = self._scheduler.fork(child, index)
        for parent in parents:
            if parent not in children:
                self._scheduler.release(parent)
        return children

    def _extend(self, state: RequestState, sequence: Sequence, tokens: Items[ChosenToken]) -> None:
        """A sequence goes on with tokens, its sample too; at the first that ends it, it is closed.

        All but the last are computed with it in the next step.
        """
        if sequence.is_visible and sequence.index not in state.open_samples:
            self._close(state, [sequence.index])  # given up before it was forked
            return
        for token in tokens:
            sequence.tokens.append(token.token_id)
            if not sequence.is_visible:
                continue
            reason = state.stop_rules.check(sequence)
            self._emit(state, sequence.index, token, reason, num_drafts=sequence.num_drafts)
            sequence.num_drafts = 0
            if reason is not None:
                self._close(state, [sequence.index])
                return

    def _emit_finalized(self, state: RequestState, emitted: Items[SampleToken]) -> None:
        """Report the samples' tokens that a strategy emits."""
        for sample, token, reason, score, inclusion in emitted:
            if sample in state.open_samples:
                self._emit(state, sample, token, reason, score, inclusion=inclusion)
                if reason is not None:
                    self._close(state, [sample])

    def _emit(
        self,
        state: RequestState,
        sample: int,
        token: ChosenToken,
        reason: StopReason | None,
        score: float | None = None,
        num_drafts: int = 0,
        inclusion: float | None = None,
    ) -> None:
        """Report a sample's token."""
        is_first = sample not in state.started_samples
        state.started_samples.add(sample)
        self._meter.generated_tokens += 1
        self._meter.draft_tokens += num_drafts
        self._meter.accepted_tokens += self._is_ahead
        self._events.append(
            TokenEvent(
                state.id,
                token.token_id,
                token.reports,
                reason,
                token.trace,
                sample,
                state.cached_tokens if is_first else 0,
                score,
                state.begun if is_first else None,
                num_drafts,
                self._is_ahead,
                state.speculation_off if is_first else None,
                inclusion,
            )
        )

    # The end

    def _fail(self, state: RequestState, error: BaseException) -> None:
        self._end(state, "error", error)

    def _end(
        self, state: RequestState, reason: FinishReason, error: BaseException | None = None
    ) -> None:
        """End what is left of a request."""
        self._events += _end_events(state, reason, error)
        self._close(state, [*state.open_samples])

    def _close(self, state: RequestState, samples: Items[int]) -> None:
        """Samples have ended: their sequences are dropped, and with the last of all the request."""
        state.open_samples.difference_update(samples)
        if not state.open_samples:
            if self._states.pop(state.id, None):
                self._scheduler.remove(state)
            return
        for sequence in state.leave(samples):
            self._scheduler.release(sequence)
        woken = state.wake()
        if woken is not None:
            self._scheduler.rewind(woken)
        if not state.live and not state.strategy.emits:  # samples were left without a sequence
            self._end(state, "stop")

    def _fail_running(self, error: Exception) -> None:
        reported = _reported(error)
        for state in self._scheduler.running:
            self._fail(state, reported)

    def recover(self, error: BaseException | None = None, *, keeps_waiting: bool = True) -> None:
        """Set right what an interruption left behind, wherever it came.

        The requests that ran end with an error, and so do those that wait if they are not kept. No
        block is held any more, and nothing of the prefix cache remains.
        """
        interrupted = _reported(error or KeyboardInterrupt())
        kept: list[RequestState] = []
        ended: list[RequestState] = []
        for state in self._states.values():
            stays = keeps_waiting and self._scheduler.is_waiting(state)
            (kept if stays else ended).append(state)
        self._scheduler = self._scheduler.emptied()
        for state in ended:
            self._events += _end_events(state, "error", interrupted)
        self._states = {state.id: state for state in kept}
        for state in kept:
            self._scheduler.add(state)

    def keep_only(self, request_ids: Container[int]) -> None:
        """Drop all other requests: nobody came to know of them."""
        for request_id in [*self._states]:
            if request_id not in request_ids:
                self.abort(request_id)


def queue_full(max_waiting: int) -> QueueFullError:
    """What is refused where that many wait."""
    return QueueFullError(f"max_waiting={max_waiting}: that many requests are waiting already")


def _end_events(
    state: RequestState, reason: FinishReason, error: BaseException | None
) -> list[EndEvent]:
    """One for each sample that is left."""
    return [EndEvent(state.id, reason, error, sample) for sample in sorted(state.open_samples)]


def _reported(error: BaseException) -> ForetellError:
    if isinstance(error, ForetellError):
        return error
    return ForetellError(f"a step failed: {quote(error, TEXT)}")


def _draw(table: Logits, drawings: Items[_Drawing]) -> list[_Outcome]:
    """Draw the tokens of some requests from the rows of one table, in one call."""
    draws = [draw for _, _, own in drawings for draw in own]
    drawn = choose(
        table,
        [row for _, rows, _ in drawings for row in rows.indices],
        [draw.chain for draw in draws],
        [draw.uniform for draw in draws],
    )
    outcomes: list[_Outcome] = []
    start = 0
    for state, rows, own in drawings:
        tokens: list[ChosenToken] = []
        answer: list[ChosenToken] | NumericalError = tokens
        for draw, token_id in zip(own, drawn[start : start + len(own)], strict=True):
            if isinstance(token_id, NumericalError):  # the first row that is broken
                answer = token_id
                break
            tokens.append(draw.token(token_id))
        outcomes.append((state, rows.sequences, answer))
        start += len(own)
    return outcomes


def _alike(one: Sequence, other: Sequence) -> bool:
    return one.is_visible == other.is_visible
