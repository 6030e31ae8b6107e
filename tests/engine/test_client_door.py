"""Who is inside the engine is known at every moment: no thread waits for itself."""

import sys
import threading
from contextlib import suppress
from pathlib import Path

from support.toy import toy_llm

import foretell.engine.client as client_module
from foretell.errors import RequestError

HERE = str(Path(client_module.__file__))
WISHES = {"max_new_tokens": 2}
HANGS = 60.0
"""Seconds after which a thread is taken to wait for ever."""


class Place:
    """Acts where CPython may handle a signal, or let another thread run: at `at` in the client."""

    def __init__(self, at, act):
        self.left, self.act, self.has_come = at, act, False

    def __enter__(self):
        sys.setprofile(self.note)

    def __exit__(self, *_):
        sys.setprofile(None)

    def note(self, frame, event, argument):
        if self.has_come or frame.f_code.co_filename != HERE or event not in ("call", "c_return"):
            return
        self.left -= 1
        if self.left < 0:
            self.has_come = True
            self.act()


def in_another_thread(act):
    """What it returns; a thread that hangs fails the test, and is left behind."""
    results = []
    thread = threading.Thread(target=lambda: results.append(act()), daemon=True)
    thread.start()
    thread.join(HANGS)
    assert results, "it waits for itself"
    return results[0]


def test_a_signal_handler_that_asks_never_waits_for_itself():
    llm = toy_llm()
    expected = llm.generate("a", **WISHES).token_ids
    at, has_come = 0, True

    def ask():
        with suppress(RequestError):  # where this thread is inside
            assert llm.generate("a", **WISHES).token_ids == expected

    while has_come:
        other = llm.stream("b", **WISHES)
        next(other)  # so that this thread was the last inside
        place = Place(at, ask)

        def ask_and_leave(place=place, other=other):
            with place:
                answer = llm.generate("a", **WISHES)
                other.close()
            return answer

        assert in_another_thread(ask_and_leave).token_ids == expected, at
        has_come = place.has_come
        at += 1
    assert at > 30


def test_a_thread_is_not_taken_for_the_one_inside():
    llm = toy_llm()
    expected = llm.generate("a", **WISHES).token_ids
    at, has_come = 0, True
    while has_come:
        llm.generate("a", **WISHES)  # so that this thread was the last inside
        is_there, goes_on = threading.Event(), threading.Event()

        def wait(is_there=is_there, goes_on=goes_on):
            is_there.set()
            goes_on.wait(0.02)

        place = Place(at, wait)

        def ask(place=place, is_there=is_there):
            with place:
                llm.generate("a", **WISHES)
            is_there.set()

        thread = threading.Thread(target=ask)
        thread.start()
        is_there.wait()
        assert llm.generate("a", **WISHES).token_ids == expected, at
        goes_on.set()
        thread.join()
        has_come = place.has_come
        at += 1
    assert at > 30
