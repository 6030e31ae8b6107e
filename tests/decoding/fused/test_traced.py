"""A chain traced in one call in C++ against the stages traced one by one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.config import GenerationConfig
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.build import fuse_each, fuse_traced
from foretell.decoding.fused.chain import instruction_sets
from foretell.decoding.sampler import draw, greedy
from foretell.decoding.strategies.base import StrategyContext
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.decoding.trace import Recorder
from foretell.errors import NumericalError

ISAS = instruction_sets()


@dataclass(frozen=True)
class Past:
    tokens: tuple[int, ...] = ()
    num_prompt_tokens: int = 0
    index: int = 0


def recorded(row, config, past, uniform, num_runners_up=5):
    """The record by the stages one by one."""
    row, context = row.copy(), ChainContext(len(row))
    recorder = Recorder(row, num_runners_up)
    for stage in fuse_each(build_chain(config, context), config, context):
        stage.processor(row, past)
        recorder.after(stage, row)
    token = greedy(row) if uniform is None else draw(row, uniform)
    return recorder.finish(token, uniform)


def traced(row, config, past, uniform, num_runners_up=5, isa=None):
    """The record by one call; the row must stay as it is."""
    context = ChainContext(len(row))
    whole = fuse_traced(build_chain(config, context), config, context)
    before = row.copy()
    record = whole.choose(row, past, uniform, num_runners_up, isa=isa)
    np.testing.assert_array_equal(row, before)
    return record


def numbers_apart(record):
    """A record's numbers, and all the rest of it."""
    numbers, rest = [], []

    def walk(value):
        if isinstance(value, (tuple, list)):
            rest.append(len(value))
            for item in value:
                walk(item)
        else:
            (numbers if isinstance(value, float) else rest).append(value)

    walk(dataclasses.astuple(record))
    return numbers, rest


def assert_same(found, expected):
    numbers, rest = numbers_apart(found)
    expected_numbers, expected_rest = numbers_apart(expected)
    assert rest == expected_rest
    # An interval is given in the integer weights that it was drawn by: each is within 2^-45.
    np.testing.assert_allclose(numbers, expected_numbers, rtol=1e-9, atol=1e-11)
    logits = [one.logits for one in (found.chosen, *found.runners_up)]
    assert logits == [one.logits for one in (expected.chosen, *expected.runners_up)]


@st.composite
def any_rows(draw, sizes):
    """Rows with ties and -inf, or smooth ones, spread by little or much; one is finite."""
    size = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 1e-6, 1.0, 4.0, 30.0, 1e4, 1e38]))
    row = (rng.uniform(-3, 3, size) * spread).astype(np.float32)
    row = row.round(draw(st.sampled_from([0, 1, 6]))) if spread < 100 else row
    row[rng.random(size) < draw(st.sampled_from([0.0, 0.0, 0.3, 0.99]))] = -np.inf
    row[rng.integers(size)] = draw(st.sampled_from([-0.0, 0.0, 1.5, 40.0]))
    return row


PENALTIES = {
    "repetition_penalty": st.sampled_from([0.2, 1.1, 3.0, 30.0]),
    "frequency_penalty": st.sampled_from([-2.0, 0.5, 2.0]),
    "presence_penalty": st.sampled_from([-2.0, 1.0]),
}
STEPS = {
    "temperature": st.sampled_from([1e-3, 0.3, 0.8, 2.0, 50.0]),
    "top_k": st.sampled_from([1, 3, 40, 5000]),
    "top_p": st.sampled_from([0.0, 0.5, 0.9, 0.999]),
    "min_p": st.sampled_from([0.01, 0.3]),
}
PASTS = st.builds(
    Past, st.lists(st.integers(0, 300), max_size=40).map(tuple), st.integers(0, 20), st.just(0)
)
UNIFORMS = st.floats(0, 1, exclude_max=True)


@st.composite
def penalties(draw):
    """Some of them, with a scope where one has a use for it."""
    given = draw(st.fixed_dictionaries({}, optional=PENALTIES))
    scope = draw(st.sampled_from([None, "prompt", "output", "all", 3]))
    return {**given, "penalty_scope": scope} if given else {}


@st.composite
def configs(draw):
    """Usual settings that draw, in the usual order or another."""
    given = draw(st.fixed_dictionaries({}, optional=STEPS))
    if set(given) - {"temperature"}:
        given["min_tokens_to_keep"] = draw(st.sampled_from([1, 7]))
    config = GenerationConfig(do_sample=True, seed=1, **given, **draw(penalties()))
    order = draw(st.one_of(st.none(), st.permutations([*STEPS])))
    processors = None if order is None else (*PENALTIES, *order)
    return dataclasses.replace(config, processors=processors)


@pytest.mark.parametrize("isa", ISAS)
@given(any_rows(st.integers(1, 400)), configs(), PASTS, UNIFORMS, st.integers(0, 8))
def test_one_call_tells_what_a_recorder_does(isa, row, config, past, uniform, num_runners_up):
    found = traced(row, config, past, uniform, num_runners_up, isa)
    assert_same(found, recorded(row, config, past, uniform, num_runners_up))


@settings(max_examples=30)
@given(any_rows(st.integers(5_000, 30_000)), configs(), PASTS, UNIFORMS)
def test_of_long_rows_too(row, config, past, uniform):
    found = traced(row, config, past, uniform)
    assert_same(found, recorded(row, config, past, uniform))


@pytest.mark.parametrize("isa", ISAS)
@given(any_rows(st.integers(1, 400)), penalties(), PASTS)
def test_and_of_a_greedy_choice(isa, row, given, past):
    config = GenerationConfig(**given)
    assert_same(traced(row, config, past, None, isa=isa), recorded(row, config, past, None))


@given(any_rows(st.integers(1, 2_000)), configs(), PASTS, UNIFORMS)
def test_every_instruction_set_tells_the_same_bits(row, config, past, uniform):
    first, *others = [traced(row, config, past, uniform, isa=isa) for isa in ISAS]
    assert all(other == first for other in others)


@given(any_rows(st.integers(1, 2_000)), configs(), PASTS, UNIFORMS)
def test_the_number_drawn_lies_in_the_interval(row, config, past, uniform):
    found = traced(row, config, past, uniform).draw
    assert found.low - 1e-12 <= uniform <= found.high + 1e-12


@pytest.mark.parametrize("penalty", [1.5, 30.0, 0.7, 0.02])
@pytest.mark.parametrize("logit", [30.0, 90.0])
def test_a_penalty_may_move_nearly_all_the_mass(penalty, logit):
    row = np.random.default_rng(3).normal(0, 1, 20_000).astype(np.float32)
    row[[7, 11_111]] = logit, logit + 8
    past = Past((7, 11_111, 12))
    config = GenerationConfig(repetition_penalty=penalty, top_k=30, seed=1)
    assert_same(traced(row, config, past, 0.5), recorded(row, config, past, 0.5))


def test_equals_are_reported_by_id():
    config = GenerationConfig(frequency_penalty=-0.5)
    record = traced(np.zeros(20, np.float32), config, Past((15, 15, 9)), None)
    assert record.chosen.token_id == 15
    assert [one.token_id for one in record.runners_up] == [0, 1, 2, 3, 4, 9]


def test_a_sequence_is_followed_as_it_grows_and_is_cut():
    rng = np.random.default_rng(5)
    context = ChainContext(300)
    config = GenerationConfig(repetition_penalty=1.3, frequency_penalty=0.4, top_p=0.8, seed=1)
    whole = fuse_traced(build_chain(config, context), config, context)
    for tokens in [(5,), (5, 9), (5, 9, 9, 12), (5, 9)]:
        row = rng.normal(0, 3, 300).astype(np.float32)
        found = whole.choose(row, Past(tokens), 0.4)
        assert_same(found, recorded(row, config, Past(tokens), 0.4))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_broken_row_is_refused(bad):
    row = np.array([1.0, bad, 2.0], np.float32)
    with pytest.raises(NumericalError, match="must be finite"):
        traced(row, GenerationConfig(), Past(), None)


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 1e-38},
        {"repetition_penalty": 1 + 1e-12},
        {"typical_p": 0.5},
        {"no_repeat_ngram_size": 2},
    ],
)
def test_chains_that_are_not_fusable_are_left_to_a_recorder(given):
    config = GenerationConfig(do_sample=True, seed=1, **given)
    context = ChainContext(9)
    assert fuse_traced(build_chain(config, context), config, context) is None


@pytest.mark.parametrize(
    "given", [{}, {"temperature": 0.7, "top_k": 5, "seed": 2}, {"typical_p": 0.5, "seed": 3}]
)
def test_a_strategy_gives_the_record_and_the_reports(given):
    row = np.random.default_rng(6).normal(0, 3, 500).astype(np.float32)
    past = Past((3, 4), 2)
    reported = {"trace": True, "logprobs": 2}
    plain = GenerationConfig(
        **given, **reported, logprobs_stage=("raw", "final")
    )  # takes the long way
    context = StrategyContext(ChainContext(500))
    [expected], [found] = (
        SamplingStrategy(config, context).step([row.copy()], [past]).choices[0].tokens
        for config in (plain, GenerationConfig(**given, **reported))
    )
    assert found.token_id == expected.token_id == found.trace.chosen.token_id
    assert found.reports["raw"] == expected.reports["raw"]
    assert_same(found.trace, expected.trace)
