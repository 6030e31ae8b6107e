"""A function beside its caller: its result, its error, and no thread that outlives the block."""

from __future__ import annotations

import threading

import pytest

from foretell.utils.beside import Beside


def test_the_two_run_at_the_same_time() -> None:
    both = threading.Barrier(2)
    with Beside(lambda: both.wait(10)) as beside:
        both.wait(10)
        assert beside.result() in (0, 1)


def test_what_it_raises_is_raised_where_it_is_asked_for() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Beside(fail) as beside:
        with pytest.raises(ValueError, match="no"):
            beside.result()
        with pytest.raises(ValueError, match="no"):
            beside.check()


def test_a_check_does_not_wait() -> None:
    go = threading.Event()
    with Beside(lambda: go.wait(10)) as beside:
        beside.check()
        go.set()
        assert beside.result() is True


def test_the_block_waits_for_its_end_whatever_happens() -> None:
    """The function can end only after the block was left by an error."""
    go, ended = threading.Event(), threading.Event()
    timer = threading.Timer(0.2, go.set)

    def function() -> None:
        assert go.wait(10)
        ended.set()

    def leave() -> None:
        with Beside(function) as beside:
            threads.append(beside._thread)
            timer.start()
            raise KeyError

    threads: list[threading.Thread] = []
    with pytest.raises(KeyError):
        leave()
    assert ended.is_set()
    assert not threads[0].is_alive()
    timer.join()


def test_without_threads_it_is_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Beside(lambda: 7) as beside:
        assert beside.result() == 7
