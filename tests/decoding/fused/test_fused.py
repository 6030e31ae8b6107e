import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.decoding.fused import _sampling
from foretell.decoding.fused import chain as fused_chain
from foretell.decoding.fused.chain import FusedChain, apply, choose, instruction_sets, kept, sum_up
from foretell.decoding.fused.chain import draw as draw_fused
from foretell.decoding.processors.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
)
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import MinP, TopK, TopP
from foretell.decoding.sampler import draw, greedy
from foretell.decoding.softmax import POWERS, check_logits
from foretell.errors import ConfigError, NumericalError

ISAS = instruction_sets()
BELOW_ONE = 1 - 2.0**-53
UNIFORMS = [0.0, 1e-9, 0.1, 0.25, 0.5, 0.7, 0.9, 0.999, BELOW_ONE]


@dataclass(frozen=True)
class Past:
    tokens: tuple[int, ...] = ()
    num_prompt_tokens: int = 0
    index: int = 0


def steps(k_max):
    """Any steps in any order, the extremes among them."""
    temperatures = st.one_of(st.floats(0.05, 20), st.sampled_from([5e-324, 1e-39, 1e-30, 1e35]))
    few = st.one_of(st.integers(1, 8), st.integers(1, k_max))
    shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.9, BELOW_ONE, 1.0]))
    return st.lists(
        st.one_of(
            st.tuples(st.just("temperature"), temperatures),
            st.tuples(st.sampled_from(["top_k", "top_k_cut"]), few),
            st.tuples(st.sampled_from(["top_p", "min_p"]), shares),
        ),
        max_size=4,
    )


def as_processor(name, value, least):
    if name == "temperature":
        return Temperature(value)
    if name in ("top_k", "top_k_cut"):
        ties = "cut" if name == "top_k_cut" else "keep"
        return TopK(int(value), ties=ties, min_tokens_to_keep=least)
    return {"top_p": TopP, "min_p": MinP}[name](value, min_tokens_to_keep=least)


def assert_twins(row, chain, processors, past, isa):
    """The chain keeps and draws what the processors and `draw` do."""
    expected = row.copy()
    for processor in processors:
        processor(expected, past)
    chain.advance(past)
    assert kept(row.copy(), chain, isa=isa) == np.flatnonzero(expected > -np.inf).tolist()
    written = row.copy()
    apply(written, chain, isa=isa)
    np.testing.assert_array_equal(written, expected)
    rows = np.tile(row, (len(UNIFORMS), 1))
    number = len(UNIFORMS)
    drawn = choose(rows, range(number), [chain] * number, UNIFORMS, isa=isa)
    assert drawn == [draw(expected, uniform) for uniform in UNIFORMS]


@pytest.mark.parametrize("isa", ISAS)
@given(data=st.data())
def test_steps_are_the_processors(isa, data):
    row = data.draw(rows(min_size=3))
    chosen = data.draw(steps(k_max=len(row) + 2))
    least = data.draw(st.sampled_from([1, 1, 2, 7]))
    chain = FusedChain(vocab_size=len(row), steps=chosen, min_tokens_to_keep=least)
    processors = [as_processor(name, value, least) for name, value in chosen]
    assert_twins(row, chain, processors, Past(), isa)


@st.composite
def rows(draw, min_size=1, max_size=400):
    """Rows full of ties and -inf, or smooth ones, spread by little or much; one is finite."""
    size = draw(st.integers(min_size, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 1e-6, 1.0, 4.0, 30.0, 1e4, 1e38]))
    row = (rng.uniform(-3, 3, size) * spread).astype(np.float32)
    row = row.round(draw(st.sampled_from([0, 1, 6]))) if spread < 100 else row
    row[rng.random(size) < draw(st.sampled_from([0.0, 0.0, 0.3, 0.99]))] = -np.inf
    row[rng.integers(size)] = draw(st.sampled_from([-0.0, 0.0, 1.5, 4.0]))
    return row


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [4096, 5003, 49_152, 100_000])
@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize(
    "chosen",
    [
        [],
        [("temperature", 0.8)],
        [("temperature", 0.8), ("top_k", 50), ("top_p", 0.9)],
        [("top_p", 0.9)],
        [("temperature", 1.3), ("top_p", 0.99), ("min_p", 0.05)],
        [("min_p", 0.02), ("temperature", 1.7)],
        [("top_k_cut", 40), ("top_p", 0.95), ("min_p", 0.05), ("temperature", 0.8)],
        [("top_k", 5000)],
    ],
)
def test_long_rows_are_the_processors(isa, size, decimals, chosen):
    rng = np.random.default_rng(size + decimals)
    row = rng.normal(0, 3, size).round(decimals).astype(np.float32)
    chain = FusedChain(vocab_size=size, steps=chosen)
    processors = [as_processor(name, value, 1) for name, value in chosen]
    assert_twins(row, chain, processors, Past(), isa)


SCOPES = st.sampled_from(["prompt", "output", "all", 0, 1, 3, 20])


@given(data=st.data())
def test_penalties_are_the_processors_as_a_sequence_grows(data):
    size = data.draw(st.integers(3, 80))
    tokens = tuple(data.draw(st.lists(st.integers(0, size + 3), max_size=30)))
    prompt = data.draw(st.integers(0, len(tokens)))
    exempt = frozenset(data.draw(st.lists(st.integers(0, size - 1), max_size=4)))
    repetition, counted = data.draw(SCOPES), data.draw(SCOPES)
    factor = data.draw(st.floats(0.2, 3))
    each, once = data.draw(st.floats(-2, 2)), data.draw(st.floats(-2, 2))
    processors = [
        RepetitionPenalty(factor, repetition, exempt),
        FrequencyPenalty(each, counted, exempt),
        PresencePenalty(once, counted, exempt),
        TopP(0.8),
    ]
    chain = FusedChain(
        vocab_size=size,
        steps=[("top_p", 0.8)],
        repetition_penalty=factor,
        frequency_penalty=each,
        presence_penalty=once,
        repetition_scope=repetition,
        count_scope=counted,
        exempt=exempt,
    )
    row = data.draw(rows(min_size=size, max_size=size))
    for length in range(prompt, len(tokens) + 1, 5):
        assert_twins(row, chain, processors, Past(tokens[:length], prompt), ISAS[0])


def test_tokens_that_were_taken_back_are_counted_anew():
    chain = FusedChain(vocab_size=5, greedy=True, presence_penalty=2.0, count_scope="all")
    row = np.array([[1.0, 0.5, 0, 0, 0]], np.float32)
    for tokens, expected in [((0,), 1), ((0, 1), 2), ((0,), 1)]:
        chain.advance(Past(tokens))
        assert choose(row.copy(), [0], [chain], [0.0]) == [expected]


@pytest.mark.parametrize("isa", ISAS)
@given(row=rows(), seed=st.integers(0, 99))
def test_greedy_is_the_lowest_id_of_the_largest(isa, row, seed):
    chain = FusedChain(vocab_size=len(row), greedy=True)
    assert choose(row[None].copy(), [0], [chain], [seed / 100], isa=isa) == [greedy(row)]
    assert kept(row.copy(), chain, isa=isa) == [greedy(row)]


def test_rows_are_chosen_one_by_one():
    table = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32) * 3
    settings = [[("top_k", 5)], [], [("temperature", 2.0), ("top_p", 0.7)]]
    chains = [FusedChain(vocab_size=300, steps=chosen) for chosen in settings]
    together = choose(table.copy(), [3, 0, 2], chains, [0.9, 0.4, 0.7])
    alone = zip([3, 0, 2], chains, [0.9, 0.4, 0.7], strict=True)
    assert together == [choose(table.copy(), [r], [c], [u])[0] for r, c, u in alone]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [1, 3, 64, 65, 200])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("penalty", [1.0, 1.5])
def test_a_broken_row_is_refused_as_in_numpy(isa, size, bad, penalty):
    chain = FusedChain(vocab_size=size, repetition_penalty=penalty, steps=[("top_k", 2)])
    chain.advance(Past((size // 2,)))
    for place in {0, size // 2, size - 1}:
        row = np.full((1, size), bad if bad == -np.inf else 1.0, np.float32)
        row[0, place] = bad
        with pytest.raises(NumericalError) as expected:
            check_logits(row[0])
        with pytest.raises(NumericalError, match=str(expected.value)):
            kept(row[0].copy(), chain, isa=isa)
        sound = np.zeros_like(row)
        rows = np.concatenate([sound, row, sound])
        first, error, last = choose(rows, [0, 1, 2], [chain] * 3, [0.0] * 3, isa=isa)
        assert isinstance(error, NumericalError)
        assert str(error) == str(expected.value)
        assert first == last == choose(sound, [0], [chain], [0.0], isa=isa)[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 0},
        {"vocab_size": 2**19},
        {"greedy": True, "steps": [("top_k", 3)]},
        {"min_tokens_to_keep": 0},
        {"steps": [("top_k", 0)]},
        {"steps": [("temperature", 0.0)]},
        {"steps": [("top_p", float("nan"))]},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        FusedChain(**{"vocab_size": 9, **wrong})


def test_an_instruction_set_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setenv("FORETELL_ISA", "abacus")
    fused_chain._default_isa.cache_clear()
    row = np.zeros((1, 4), np.float32)
    with pytest.raises(ConfigError, match="FORETELL_ISA=abacus cannot run here"):
        choose(row, [0], [FusedChain(vocab_size=4)], [0.0])


def test_both_tables_of_powers_are_the_same():
    assert _sampling.powers() == POWERS.view(np.uint64).tolist()


@pytest.mark.parametrize("isa", ISAS)
@given(rows(), st.sampled_from([64, 128]))
def test_sums_are_those_of_plain_float64(isa, row, block):
    sums = sum_up(row, block, isa=isa)
    x = row.astype(np.float64) - row.max()
    weights = np.exp(x)
    moments = np.where(np.isneginf(x), 0.0, x) * weights
    starts = range(0, len(row), block)
    assert sums.num_possible == np.count_nonzero(row > -np.inf)
    assert sums.largest == row.max()
    assert sums.few_ids == np.flatnonzero(row > -np.inf).tolist()
    expected = [weights[at : at + block].sum() for at in starts]
    np.testing.assert_allclose(sums.masses, expected, rtol=1e-13, atol=1e-20)
    assert sums.moment == pytest.approx(moments.sum(), rel=1e-12, abs=1e-20)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_broken_row_has_no_sums(isa, bad):
    assert math.isnan(sum_up(np.array([1, bad, 2], np.float32), 64, isa=isa).largest)
    assert math.isnan(sum_up(np.full(3, -np.inf, np.float32), 64, isa=isa).largest)


@pytest.mark.parametrize("isa", ISAS)
@given(rows(), st.floats(0, 1, exclude_max=True))
def test_a_draw_alone_is_numpys(isa, row, uniform):
    assert draw_fused(row, uniform, isa=isa) == draw(row, uniform)


HUGE = [2**53 + 1, 2**63 - 1, 2**63, 2**64 + 1, 10**400]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("name", ["top_k", "top_k_cut"])
def test_a_top_k_beyond_every_integer_keeps_all(name, number):
    row = np.array([0.5, 2.0, -1.0, 2.0], np.float32)
    for isa in ISAS:
        assert kept(row.copy(), FusedChain(vocab_size=4, steps=[(name, number)]), isa=isa) == [
            *range(4)
        ]
    past = Past((1, 1, 2), 3)
    assert_twins(
        row, FusedChain(vocab_size=4, steps=[(name, number)]), [TopK(number)], past, ISAS[0]
    )


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("step", [("top_k", 1), ("top_p", 0.1), ("min_p", 0.9)])
def test_more_tokens_to_keep_than_there_are_keep_all(step, number):
    row = np.array([0.5, 2.0, -1.0, 2.0], np.float32)
    chain = FusedChain(vocab_size=4, steps=[step], min_tokens_to_keep=number)
    assert_twins(row, chain, [as_processor(*step, number)], Past(), ISAS[0])
    assert kept(row.copy(), chain) == [*range(4)]


@pytest.mark.parametrize("number", HUGE)
def test_a_scope_longer_than_every_sequence_is_all_of_it(number):
    row = np.array([0.5, 2.0, -1.0, 2.0], np.float32)
    chain = FusedChain(vocab_size=4, repetition_penalty=1.5, repetition_scope=number)
    assert_twins(row, chain, [RepetitionPenalty(1.5, "all")], Past((1, 1, 2), 2), ISAS[0])


@pytest.mark.parametrize("value", [2.0**63, 1e300])
def test_cpp_itself_takes_a_count_that_no_integer_holds_for_all(value):
    settings = {"repetition_penalty": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
    scope = (_sampling.ScopeKind.all, 0)
    core = _sampling.SamplingChain(
        vocab_size=3,
        **settings,
        repetition_scope=scope,
        count_scope=scope,
        exempt=[],
        steps=[(_sampling.StepKind.top_k, value)],
        min_tokens_to_keep=1,
        greedy=False,
    )
    for isa in ISAS:
        assert _sampling.kept(np.array([3, 2, 1], np.float32), core, isa) == [0, 1, 2]
