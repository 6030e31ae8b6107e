"""JSON that is made in small steps is the same JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from foretell.server.frames import dumps, dumps_long, frame, long_frame

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=60,
)


@given(DATA)
def test_many_steps_make_what_one_makes(data: Any) -> None:
    assert dumps_long(data) == dumps(data)
    assert long_frame(data) == frame(data)


def test_a_list_of_a_long_answer_is_made_so() -> None:
    tokens = [{"token": "é", "top_logprobs": [{"token": "a"}] * 20}] * 100
    choices = [{"index": index, "logprobs": {"content": tokens}} for index in range(40)]
    for data in ({"choices": choices}, {"choices": choices[:1]}, choices, {3: tokens}):
        assert dumps_long(data) == dumps(data)
