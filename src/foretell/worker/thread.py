"""The thread that owns a model and works on all submissions at once.

Between two steps it reads its inbox: submissions, questions, submissions that nobody wants any
more. With nothing to do it sleeps until something comes.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, TypeVar

from foretell.engine.client import INSIDE
from foretell.errors import ClosedError, RequestError
from foretell.worker.channel import Channel, wake
from foretell.worker.dispatcher import Dispatcher, own_error
from foretell.worker.sharing import SharedEngine
from foretell.worker.submissions import Submission

if TYPE_CHECKING:
    from foretell.llm import LLM

T = TypeVar("T")

CLOSED = "this AsyncLLM is closed: make another"
FORKED = (
    "this AsyncLLM belongs to the process that opened it, of which this one is a fork: open one "
    "here, or start processes by the method 'spawn'"
)
ENDED = "the AsyncLLM was closed before this ended"
LOADING_GRACE = 5.0
"""Seconds that the program's end waits for a model that is still loading.

For a step it waits as long as that takes: a thread must not be stopped in the middle of one.
"""


@dataclass(frozen=True)
class Command:
    """Something for the worker to do between two steps; `channel` is that of who waits for it."""

    act: Callable[[LLM, Dispatcher], None]
    channel: Channel[Any] | None = None


class Worker:
    """A thread, the LLM that it loads and owns, and the submissions that it works on.

    Its methods may be called from any thread; only `join` waits.

    Args:
        load: makes the LLM, in the worker thread.
        max_waiting: the LLM's.
        shares: whether the LLM is somebody else's, who may use it meanwhile and closes it.
    """

    def __init__(
        self, load: Callable[[], LLM], max_waiting: int | None = None, *, shares: bool = False
    ) -> None:
        self._load = load
        self._shares = shares
        self._max_waiting = max_waiting
        self._inbox: SimpleQueue[Command] = SimpleQueue()
        self._lock = Lock()  # for `_refusal` and `_watchers`
        self._refusal: BaseException | None = None  # why nothing is taken on any more
        self._failure: BaseException | None = None
        self._watchers: list[Channel[Any]] = []
        self._is_loaded = self._is_stopping = False
        self._process = os.getpid()
        self._thread = Thread(target=self._run, name="foretell-worker", daemon=True)
        atexit.register(self._leave_with_program)
        self._thread.start()

    @property
    def is_leaving(self) -> bool:
        """Whether it takes nothing on any more, or is about to stop."""
        return self._is_stopping or self._refusal is not None

    @property
    def failure(self) -> BaseException | None:
        """What has ended it, if that was not `stop`."""
        return self._failure

    def watch(self, channel: Channel[Any]) -> None:
        """End the channel when the thread leaves, with what has ended it."""
        with self._lock:
            if self._refusal is None:
                self._watchers.append(channel)
                return
        self._end_watched([channel])

    def submit(self, submission: Submission) -> None:
        """Work on a submission.

        Raises what ended the worker, ClosedError if that was `stop`; RequestError in a forked
        process, and in the worker thread itself.
        """
        self._post(Command(lambda _, dispatcher: dispatcher.accept(submission), submission.channel))

    def ask(self, answer: Callable[[LLM], T], channel: Channel[T]) -> None:
        """Put `answer(llm)` into the channel; raises as `submit` does."""

        def act(llm: LLM, _: Dispatcher) -> None:
            channel.put(answer(llm))
            channel.end()
            wake([channel])

        self._post(Command(act, channel))

    def abort(self, submission: Submission) -> None:
        """End a submission before the next step; nothing happens if it has ended."""
        self._inbox.put(Command(lambda _, dispatcher: dispatcher.close(submission)))

    def wake(self) -> None:
        """Look again whether there is something to do."""
        self._inbox.put(Command(lambda _, __: None))

    def stop(self) -> None:
        """Leave after the current step; what is under way ends with an error."""
        self._is_stopping = True
        self.wake()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has left."""
        self._thread.join(timeout)

    def _post(self, command: Command) -> None:
        if self._process != os.getpid():
            raise RequestError(FORKED)
        if current_thread() is self._thread:
            raise RequestError(INSIDE)
        with self._lock:
            if self._refusal is not None:
                raise own_error(self._refusal)
            self._inbox.put(command)

    def _leave_with_program(self) -> None:
        self.stop()
        self.join(None if self._is_loaded else LOADING_GRACE)

    def _run(self) -> None:
        """The thread's life. What ends it too early is raised in all callers, from now on."""
        reason: BaseException = ClosedError(ENDED)
        refusal: BaseException = ClosedError(CLOSED)
        try:
            llm = self._load()
            self._is_loaded = True
            with nullcontext() if self._shares else llm:
                self._work(llm)
        except BaseException as error:  # noqa: BLE001  nobody else would hear of it
            self._failure = reason = refusal = error
        with self._lock:
            self._refusal = refusal
        self._end_watched(self._watchers)
        self._refuse_inbox(reason)
        atexit.unregister(self._leave_with_program)

    def _work(self, llm: LLM) -> None:
        opened = llm._require_open()
        runner = SharedEngine(opened.client, opened.engine) if self._shares else opened.engine
        dispatcher = Dispatcher(runner, self._max_waiting)
        reason: BaseException = ClosedError(ENDED)
        try:
            while not self._is_stopping:
                self._read_inbox(llm, dispatcher)
                dispatcher.work()
        except BaseException as error:
            reason = error
            raise
        finally:
            dispatcher.close_all(reason)

    def _read_inbox(self, llm: LLM, dispatcher: Dispatcher) -> None:
        """All that has come; sleep until something comes if there is nothing else to do."""
        may_sleep = not dispatcher.is_busy
        with suppress(Empty):
            while True:
                command = self._inbox.get(block=may_sleep)
                may_sleep = False
                try:
                    command.act(llm, dispatcher)
                except BaseException as error:  # noqa: BLE001  it is the caller's
                    _answer(command, error)

    def _end_watched(self, channels: list[Channel[Any]]) -> None:
        for channel in channels:
            channel.end(None if self._failure is None else own_error(self._failure))
        wake(channels)

    def _refuse_inbox(self, error: BaseException) -> None:
        with suppress(Empty):
            while True:
                _answer(self._inbox.get(block=False), error)


def _answer(command: Command, error: BaseException) -> None:
    if command.channel is not None:
        command.channel.end(own_error(error))
        wake([command.channel])
