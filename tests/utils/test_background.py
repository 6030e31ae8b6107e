"""A function in the background: its result, its error, and no thread that outlives the block."""

from __future__ import annotations

import threading

import pytest

from foretell.utils.background import Background


def test_the_two_run_at_the_same_time() -> None:
    both = threading.Barrier(2)
    with Background(lambda: both.wait(10)) as background:
        both.wait(10)
        assert background.result() in (0, 1)


def test_what_it_raises_is_raised_where_it_is_asked_for() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Background(fail) as background:
        with pytest.raises(ValueError, match="no"):
            background.result()
        with pytest.raises(ValueError, match="no"):
            background.check()


def test_a_check_does_not_wait() -> None:
    go = threading.Event()
    with Background(lambda: go.wait(10)) as background:
        background.check()
        go.set()
        assert background.result() is True


def test_the_block_waits_for_its_end_whatever_happens() -> None:
    """The function can end only after the block was left by an error."""
    go, ended = threading.Event(), threading.Event()
    timer = threading.Timer(0.2, go.set)

    def function() -> None:
        assert go.wait(10)
        ended.set()

    def leave() -> None:
        with Background(function) as background:
            threads.append(background._thread)
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
    with Background(lambda: 7) as background:
        assert background.result() == 7
