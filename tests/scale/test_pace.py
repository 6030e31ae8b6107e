"""What is told while a job runs: rows, refusals, the rate, the time that is left."""

from __future__ import annotations

import pytest

from foretell.scale import pace
from foretell.scale.pace import Pace, in_words, open_pace, sparing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(pace, "perf_counter", lambda: now[0])
    return now


def test_it_tells_rate_and_time_left(clock: list[float]) -> None:
    told: list[tuple[int, str]] = []
    counted = Pace(1000, lambda done, words: told.append((done, words)), tells_left=True)
    counted.add(0, 0)
    clock[0] += 2
    counted.add(10, 1)
    clock[0] += 8
    counted.reach(500)
    assert told == [
        (0, ""),
        (10, "1 refused, 5.0 rows/s, 3.3 min left"),
        (500, "1 refused, 50.0 rows/s, 10 s left"),
    ]


def test_where_nobody_sees_a_bar_there_is_a_line_now_and_then(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with open_pace(1000, True) as counted:
        for _ in range(200):
            counted.add(5, 0)
            clock[0] += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"{done} of 1000 rows, 5.0 rows/s, {left} left"
        for done, left in ((305, "2.3 min"), (605, "79 s"), (905, "19 s"))
    ]


def test_unasked_nothing_is_told(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with open_pace(10, None) as counted:
        clock[0] += 1000
        counted.add(10, 0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (150, "2.5 min"),
        (3000, "50 min"),
        (9000, "2.5 h"),
        (1e6, "12 d"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_what_takes_long_is_looked_at_seldom(clock: list[float]) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        clock[0] += 0.1

    watch = sparing(look)
    for _ in range(100):
        watch()
        clock[0] += 0.2
    assert looks == 4
