"""What a form foresees: what it leaves no choice to, and what of a guess it allows."""

from __future__ import annotations

import pytest
from support.grammars import grammar_of

from foretell.decoding.drafts.form import FormForesight
from foretell.engine.sequence import Sequence
from foretell.grammar.matcher import Matchers


def foresight(**form: str) -> FormForesight:
    return FormForesight(Matchers(grammar_of(**form)))


def written(text: str) -> Sequence:
    """A prompt, and what follows it; tokens are bytes."""
    found = Sequence(0, [*b"prompt"])
    found.tokens += text.encode()
    return found


@pytest.mark.parametrize(
    ("text", "most", "forced"),
    [("", 99, "the cat "), ("", 3, "the"), ("the c", 99, "at "), ("the cat ", 99, "")],
)
def test_what_must_come_is_forced(text: str, most: int, forced: str) -> None:
    found = foresight(regex="the cat (sat|ran)").forced(written(text), most)
    assert bytes(found).decode() == forced


def test_a_guess_is_possible_as_far_as_the_form_allows_it() -> None:
    found = foresight(regex="the cat (sat|ran)")
    for guess, number in (("the cat sat", 11), ("the cat bit", 8), ("a", 0), ("", 0)):
        assert found.num_possible(written(""), [*guess.encode()]) == number
    assert found.num_possible(written("the cat "), [*b"ran"]) == 3  # and nothing was changed
    assert bytes(found.forced(written("the cat r"), 9)) == b"an"
