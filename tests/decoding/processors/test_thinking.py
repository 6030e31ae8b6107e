"""A budget for thoughts: behind it the end's mark is forced, token by token."""

from __future__ import annotations

import numpy as np
import pytest

from foretell import ConfigError
from foretell.decoding.processors.thinking import ThinkingBudget
from foretell.decoding.thoughts import ThoughtMarks
from foretell.engine.sequence import Sequence

NAMES = ["<think>", "</", "think>", "a", "b", "</think>", "x"]
BEGIN, CUT, REST, A, B, END, X = range(7)


def left(budget: int, tokens: list[int], *, is_begun: bool = False, end=(CUT, REST)) -> list[int]:
    """The ids that are possible behind a prompt of one token and these."""
    marks = ThoughtMarks(
        b"<think>", b"</think>", end, [name.encode() for name in NAMES].__getitem__, is_begun
    )
    row = np.zeros(len(NAMES), dtype=np.float32)
    sequence = Sequence(0, [X])
    sequence.tokens += tokens
    ThinkingBudget(budget, marks)(row, sequence)
    assert row.max() == 0
    return np.flatnonzero(row > -np.inf).tolist()


ALL = [*range(len(NAMES))]


@pytest.mark.parametrize(
    ("budget", "tokens", "expected"),
    [
        (2, [], ALL),
        (2, [BEGIN], ALL),
        (2, [BEGIN, A], ALL),
        (2, [BEGIN, A, B], [CUT]),
        (2, [BEGIN, A, B, CUT], [REST]),
        (2, [BEGIN, A, B, CUT, REST], ALL),
        (2, [BEGIN, A, B, CUT, REST, A, A, A], ALL),
        (2, [BEGIN, A, END], ALL),
        (2, [BEGIN, END, A], ALL),
        (3, [BEGIN, A, CUT, REST, B, B], ALL),
        (0, [BEGIN], [CUT]),
        (0, [BEGIN, CUT], [REST]),
        (0, [], ALL),
        (2, [A, B, A, B], ALL),
        (1, [A, BEGIN, A, B], ALL),
    ],
)
def test_the_mark_follows_the_last_thought(budget, tokens, expected):
    assert left(budget, tokens) == expected


def test_thoughts_may_have_begun_in_the_prompt():
    assert left(0, [], is_begun=True, end=(END,)) == [END]
    assert left(1, [], is_begun=True) == ALL
    assert left(1, [A], is_begun=True) == [CUT]
    assert left(1, [END], is_begun=True) == ALL


@pytest.mark.parametrize(
    ("pieces", "waits"),
    [
        ([b"a"], 0),
        ([b"\xc3"], 1),
        ([b"\xc3\xa9"], 0),
        ([b"a\xf0\x9f"], 2),
        ([b"\xf0", b"\x9f"], 2),
        ([b"\xe2\x82"], 1),
        ([b"\xc3", b"a"], 0),
        ([b"\x80\x80\x80\x80"], 0),
        ([b"\xf0", b"\x9f", b"\x98", b"\x80"], 0),
    ],
)
def test_a_character_is_finished_first(pieces, waits):
    names = [b"<think>", b"</think>", b"\x80", *pieces]
    marks = ThoughtMarks(b"<think>", b"</think>", (1,), names.__getitem__, is_begun=True)
    budget = ThinkingBudget(len(pieces), marks)
    sequence = Sequence(0, [0])
    sequence.tokens += range(3, len(names))
    for number in range(waits + 3):
        row = np.zeros(len(names), dtype=np.float32)
        budget(row, sequence)
        assert (np.flatnonzero(row > -np.inf).tolist() == [1]) == (number == waits)
        sequence.tokens.append(2 if number < waits else 1)


def test_the_mark_is_possible_even_where_it_was_ruled_out():
    marks = ThoughtMarks(b"<think>", b"</think>", (END,), lambda i: NAMES[i].encode(), True)
    row = np.full(len(NAMES), -np.inf, dtype=np.float32)
    row[A] = 3
    ThinkingBudget(0, marks)(row, Sequence(0, [X]))
    assert np.flatnonzero(row > -np.inf).tolist() == [END]


def test_a_budget_below_nothing_is_refused():
    with pytest.raises(ConfigError, match="thinking_budget=-1"):
        ThinkingBudget(-1, ThoughtMarks(b"<", b">", (0,), lambda i: b""))
