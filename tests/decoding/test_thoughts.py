"""Thoughts are found in the bytes of tokens, however these cut the marks."""

from __future__ import annotations

import random

import pytest

from foretell.decoding.thoughts import ThoughtMarks
from foretell.text.reasoning import BEGIN, END, split

TEXTS = [
    "<think>hm</think>Yes.",
    " \n<think>\nIt rains.\n</think>\n\nYes.",
    "<think></think>",
    "<think>never ends </thin",
    "no thought <think>x</think>",
    "<thin",
    "",
    "<think>a</think>b</think>c",
]


def marks(pieces: list[str], *, is_begun: bool = False) -> ThoughtMarks:
    """Marks for tokens that are the pieces' numbers."""
    coded = [piece.encode() for piece in pieces]
    return ThoughtMarks(BEGIN.encode(), END.encode(), (0,), lambda i: coded[i], is_begun=is_begun)


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", range(20))
def test_they_are_those_that_a_reader_of_the_text_finds(text: str, seed: int, is_begun: bool):
    """Of tokens that end where marks do, those between them are what the reader says."""
    rng, pieces, rest = random.Random(seed), [], text
    while rest:
        size = rng.randint(1, 5)
        mark = next((one for one in (BEGIN, END) if one in rest[: size + len(one)]), None)
        if mark is not None and not rest.startswith(mark):
            size = min(size, rest.index(mark))
        elif mark is not None:
            size = rng.choice([len(mark), min(size, len(mark))])
            pieces += [rest[:size], rest[size : len(mark)]]
            rest = rest[len(mark) :]
            continue
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces = [piece for piece in pieces if piece]
    thought, _ = split(text, starts_inside=is_begun)
    found = marks(pieces, is_begun=is_begun)
    number = found.num_thoughts(range(len(pieces)))
    start = found.start(range(len(pieces)), 0) or 0
    told = "".join(pieces[start : start + number])
    assert told.strip() == (thought or "")


def test_the_prompt_is_no_part_of_them():
    pieces = ["<think>", "a", "</think>", "b"]
    found = marks(pieces)
    assert found.start([0, 1, 2, 3], 0) == 1
    assert found.start([0, 1, 2, 3], 1) is None
    assert found.count([1, 2, 3]) == (1, True)
    assert found.count([1]) == (1, False)
    assert marks(pieces, is_begun=True).start([0, 1, 2, 3], 1) == 1


def test_a_token_that_holds_a_mark_and_more_is_one_of_them_if_it_begins_before():
    assert marks(["<think>", "a", "b</", "think>c"]).num_thoughts([0, 1, 2, 3]) == 2
    assert marks(["<think>a", "b", "</think>"]).num_thoughts([0, 1, 2]) == 1
