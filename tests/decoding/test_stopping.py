import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import GenerationConfig
from foretell.config.validators import RepetitionDetection
from foretell.decoding.stopping import StopRules, repeated_pattern
from foretell.engine.sequence import Sequence
from foretell.outputs import StopReason


def past(tokens, num_prompt_tokens=2):
    sequence = Sequence(0, tokens[:num_prompt_tokens])
    sequence.tokens += tokens[num_prompt_tokens:]
    return sequence


def rules(room=100, **settings):
    return StopRules(GenerationConfig(**settings), frozenset({7, 8}), room)


@pytest.mark.parametrize(
    ("settings", "tokens", "reason"),
    [
        ({}, (1, 2, 3), None),
        ({}, (1, 2, 8), StopReason("eos", 8)),
        ({"ignore_eos": True}, (1, 2, 8), None),
        ({"stop_token_ids": [3]}, (1, 2, 3), StopReason("token", 3)),
        ({"stop_token_ids": [7]}, (1, 2, 7), StopReason("eos", 7)),
        ({"max_new_tokens": 2}, (1, 2, 3), None),
        ({"max_new_tokens": 2}, (1, 2, 3, 4), StopReason("max_new_tokens", 2)),
        ({"max_length": 4}, (1, 2, 3, 4), StopReason("max_length", 4)),
        ({"max_length": 4, "max_new_tokens": 9}, (1, 2, 3, 4), StopReason("max_length", 4)),
        ({"max_time": 1e-9}, (1, 2, 3), StopReason("max_time", 1e-9)),
        ({"max_time": 1e9}, (1, 2, 3), None),
    ],
)
def test_each_rule_says_that_it_fired(settings, tokens, reason):
    assert rules(**settings).check(past(tokens)) == reason


def test_the_context_ends_what_nothing_else_does():
    assert rules(room=3).check(past((1, 2, 3))) == StopReason("context", 3)


@pytest.mark.parametrize(("kind", "reason"), [("eos", "stop"), ("loop", "stop")])
def test_a_limit_is_a_length_and_the_rest_a_stop(kind, reason):
    assert StopReason(kind).finish_reason == reason
    assert StopReason("max_time").finish_reason == "length"


def loops(tokens, detection):
    """The definition, tried out: the smallest pattern that ends the tokens often enough."""
    for size in range(detection.min_pattern_size, detection.max_pattern_size + 1):
        pattern = list(tokens[-size:])
        tail = list(tokens[-size * detection.min_count :])
        if len(tail) == size * detection.min_count and tail == pattern * detection.min_count:
            return size
    return None


@given(
    st.lists(st.integers(0, 1), max_size=20),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(2, 4),
)
def test_a_loop_is_a_pattern_often_enough(tokens, least, more, count):
    detection = RepetitionDetection(least + more, least, count)
    assert repeated_pattern(tokens, detection) == loops(tokens, detection)


def test_the_prompt_is_no_part_of_a_loop():
    detected = rules(repetition_detection={"min_count": 2})
    assert detected.check(past((5, 5, 5), 2)) is None
    assert detected.check(past((5, 5, 5, 5), 2)) == StopReason("loop", 1)
