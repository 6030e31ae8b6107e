"""A function that runs in a background thread, while its caller does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Runs `function` at once in a background thread; a context manager that waits for its end.

    Worth it where one of the two does not hold Python's lock. Where no thread can be had, it is run
    by the caller, now.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="foretell-background")
        try:
            self._thread.start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        try:
            self._found.append(self._function())
        except BaseException as error:  # noqa: BLE001  # raised again where it is asked for
            self._error = error

    def check(self) -> None:
        """Raise what the function has raised, if it has; do not wait for it."""
        if self._error is not None:
            raise self._error

    def result(self) -> T:
        """What the function returned, once it has; what it raised is raised."""
        self._wait()
        self.check()
        return self._found[0]

    def _wait(self) -> None:
        while self._thread.is_alive():
            self._thread.join(0.1)  # Ctrl-C is not heard everywhere in a wait without end

    def __enter__(self) -> Background[T]:
        return self

    def __exit__(self, *error: object) -> None:
        self._wait()
