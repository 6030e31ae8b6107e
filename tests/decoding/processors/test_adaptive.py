import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import logits, long_logits, ours

from foretell.decoding.processors.adaptive import AdaptiveP
from foretell.decoding.processors.base import Adaptive
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), long_logits(20_000))


def probabilities_of(row):
    weights = np.exp(row.astype(np.float64) - row.max())
    return weights / weights.sum()


def by_formula(rows, tokens, target, decay):
    """The rows that come out, from the whole history of chosen probabilities at each step."""
    results, chosen = [], []
    for row, token in zip(rows, tokens, strict=True):
        newest_first = np.array(chosen[::-1])
        powers = decay ** np.arange(len(chosen) + 1)
        start = powers[-1] / (1 - decay)
        mean = (powers[:-1] @ newest_first + start * target) / (powers[:-1].sum() + start)
        aim = np.clip(2 * target - mean, 0, 1)
        probabilities = probabilities_of(row)
        d = np.abs(probabilities - aim) / 0.3
        results.append(np.where(row > -np.inf, 5 - 10 * d * d / (1 + d), -np.inf))
        chosen.append(probabilities[token])
    return results


@settings(deadline=None)
@given(ROWS, st.floats(0, 1), st.floats(0, 0.99), st.integers(0, 2**32))
def test_it_is_the_formula_along_a_sequence(row, target, decay, seed):
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(row) for _ in range(6)]
    tokens = [int(rng.choice(np.flatnonzero(one > -np.inf))) for one in rows]
    processor = AdaptiveP(target, decay)
    for one, token, expected in zip(
        rows, tokens, by_formula(rows, tokens, target, decay), strict=True
    ):
        result = ours(processor, one)
        np.testing.assert_array_equal(result == -np.inf, one == -np.inf)
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=2e-6)
        processor.accept(token)


# What llama.cpp's server (xllamacpp 2026.10.11549) had left of seven candidates, and made of them.
SEVEN = [0.583736777, 0.137548089, 0.099112622, 0.052281804, 0.045624271, 0.041365329, 0.04033111]
LLAMA_CPP = {
    0.1: [9.764e-06, 0.178412363, 0.205046088, 0.164850622, 0.155276477, 0.148974448, 0.147430211],
    0.5: [0.995866537, 2.46536e-3, 8.77656e-4, 2.40882e-4, 1.99896e-4, 1.77356e-4, 1.72271e-4],
}


@pytest.mark.parametrize("target", LLAMA_CPP)
def test_the_first_token_is_llama_cpps(target):
    row = np.log(SEVEN).astype(np.float32)
    result = probabilities_of(ours(AdaptiveP(target, 0.9), row))
    np.testing.assert_allclose(result, LLAMA_CPP[target], rtol=2e-5, atol=1e-9)


def test_after_a_likely_token_it_asks_for_an_unlikely_one():
    row = np.log(np.array([0.6, 0.3, 0.1], np.float32))
    processor = AdaptiveP(0.3, 0.5)
    assert ours(processor, row).argmax() == 1
    processor.accept(0)  # mean (0.6 + 0.5 · 0.6) / 2 = 0.45: the aim is 0.15
    assert ours(processor, row).argmax() == 2


def test_one_candidate_is_left():
    row = np.array([-np.inf, 3, -np.inf], np.float32)
    assert np.flatnonzero(ours(AdaptiveP(0.1, 0.9), row) > -np.inf).tolist() == [1]


def test_it_learns_from_what_was_processed_alone():
    processor = AdaptiveP(0.5, 0.9)
    assert isinstance(processor, Adaptive)
    row = np.array([1, 2, 3], np.float32)
    expected = ours(AdaptiveP(0.5, 0.9), row)
    processor.accept(0)
    np.testing.assert_array_equal(ours(processor, row), expected)


@pytest.mark.parametrize(
    ("arguments", "name"), [((-0.1, 0.9), "adaptive_target"), ((0.5, 1.0), "adaptive_decay")]
)
def test_other_numbers_are_refused(arguments, name):
    with pytest.raises(ConfigError, match=f"{name}="):
        AdaptiveP(*arguments)
