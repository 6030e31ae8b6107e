"""A thread with a large stack: the library recurses over what strangers write, without a bound.

A stack that is full would end the process. Its pages take memory only where they are used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from foretell.errors import BusyError

T = TypeVar("T")

STACK_BYTES = 2**28
_size_lock = threading.Lock()


def run_deep(make: Callable[[], T]) -> T:
    """What `make` returns, or raises, in a thread with a large stack.

    Raises:
        BusyError: there is no memory for its addresses.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(make())
        except BaseException as error:  # noqa: BLE001 - it goes on to who has called
            errors.append(error)

    thread = threading.Thread(target=run, name="foretell-grammar", daemon=True)
    _start(thread)
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _start(thread: threading.Thread) -> None:
    """Start it with a large stack; Python has one size for all threads that begin."""
    with _size_lock:
        usual = threading.stack_size(STACK_BYTES)
        try:
            thread.start()
        except RuntimeError as error:
            raise BusyError("too little memory to compile a grammar: try again later") from error
        finally:
            threading.stack_size(usual)
