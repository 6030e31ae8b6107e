"""The thread that owns a model and works on all orders at once (row 8 of the design).

Between two steps it reads its mail: orders, questions, orders that nobody wants any more. With
nothing to do it sleeps until mail comes.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from foretell.errors import RequestError
from foretell.worker.channel import Channel, wake
from foretell.worker.dispatcher import Desk, own_error
from foretell.worker.submissions import Order

if TYPE_CHECKING:
    from foretell.llm import LLM

T = TypeVar("T")

CLOSED = "this AsyncLLM is closed: make another"
ENDED = "the AsyncLLM was closed before this ended"
LOADING_GRACE = 5.0
"""Seconds that the program's end waits for a model that is still loading.

For a step it waits as long as that takes: a thread must not be stopped in the middle of one.
"""


@dataclass(frozen=True)
class Letter:
    """Something for the worker to do between two steps; `channel` is that of who waits for it."""

    act: Callable[[LLM, Desk], None]
    channel: Channel[Any] | None = None


class Worker:
    """A thread, the LLM that it loads and owns, and the orders that it works on.

    Its methods may be called from any thread; only `join` waits.

    Args:
        load: makes the LLM, in the worker thread.
        max_waiting: the LLM's.
    """

    def __init__(self, load: Callable[[], LLM], max_waiting: int | None = None) -> None:
        self._load = load
        self._max_waiting = max_waiting
        self._mail: SimpleQueue[Letter] = SimpleQueue()
        self._lock = Lock()  # for `_refusal`
        self._refusal: BaseException | None = None  # why nothing is taken on any more
        self._is_loaded = self._is_stopping = False
        self._thread = Thread(target=self._run, name="foretell-worker", daemon=True)
        atexit.register(self._leave_with_program)
        self._thread.start()

    def place(self, order: Order) -> None:
        """Work on an order; raises what ended the worker, RequestError if that was `stop`."""
        self._post(Letter(lambda _, desk: desk.accept(order), order.channel))

    def ask(self, answer: Callable[[LLM], T], channel: Channel[T]) -> None:
        """Put `answer(llm)` into the channel; raises as `place` does."""

        def act(llm: LLM, _: Desk) -> None:
            channel.put(answer(llm))
            channel.end()
            wake([channel])

        self._post(Letter(act, channel))

    def drop(self, order: Order) -> None:
        """End an order before the next step; nothing happens if it has ended."""
        self._mail.put(Letter(lambda _, desk: desk.close(order)))

    def nudge(self) -> None:
        """Look again whether there is something to do."""
        self._mail.put(Letter(lambda _, __: None))

    def stop(self) -> None:
        """Leave after the current step; what is under way ends with an error."""
        self._is_stopping = True
        self.nudge()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has left."""
        self._thread.join(timeout)

    def _post(self, letter: Letter) -> None:
        with self._lock:
            if self._refusal is not None:
                raise own_error(self._refusal)
            self._mail.put(letter)

    def _leave_with_program(self) -> None:
        self.stop()
        self.join(None if self._is_loaded else LOADING_GRACE)

    def _run(self) -> None:
        """The thread's life. What ends it too early is told to all, from now on."""
        told: BaseException = RequestError(ENDED)
        refusal: BaseException = RequestError(CLOSED)
        try:
            llm = self._load()
            self._is_loaded = True
            with llm:
                self._work(llm)
        except BaseException as error:  # noqa: BLE001  nobody else would hear of it
            told = refusal = error
        with self._lock:
            self._refusal = refusal
        self._return_mail(told)
        atexit.unregister(self._leave_with_program)

    def _work(self, llm: LLM) -> None:
        desk = Desk(llm.engine, self._max_waiting)
        told: BaseException = RequestError(ENDED)
        try:
            while not self._is_stopping:
                self._read_mail(llm, desk)
                desk.work()
        except BaseException as error:
            told = error
            raise
        finally:
            desk.close_all(told)

    def _read_mail(self, llm: LLM, desk: Desk) -> None:
        """All that has come; sleep until something comes if there is nothing else to do."""
        may_sleep = not desk.is_busy
        with suppress(Empty):
            while True:
                letter = self._mail.get(block=may_sleep)
                may_sleep = False
                try:
                    letter.act(llm, desk)
                except BaseException as error:  # noqa: BLE001  it is the writer's
                    _answer(letter, error)

    def _return_mail(self, error: BaseException) -> None:
        with suppress(Empty):
            while True:
                _answer(self._mail.get(block=False), error)


def _answer(letter: Letter, error: BaseException) -> None:
    if letter.channel is not None:
        letter.channel.end(own_error(error))
        wake([letter.channel])
