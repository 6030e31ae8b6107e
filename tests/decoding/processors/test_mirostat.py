import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.processor_rows import Past, logits, long_logits, ours

from foretell.decoding.processors.base import Adaptive
from foretell.decoding.processors.mirostat import MirostatV1, MirostatV2
from foretell.errors import ConfigError

ROWS = st.one_of(logits(min_size=3), long_logits())
TAU = st.floats(0.5, 8)


def probabilities_of(row):
    weights = np.exp(row.astype(np.float64) - row.max())
    return weights / weights.sum()


def surprise_of(row, token):
    return -math.log2(probabilities_of(row)[token])


def num_kept_by_v1(row, mu, vocab_size):
    """The paper's k before it is rounded down, with powers instead of logarithms."""
    falling = sorted((float(x) for x in row if x > -np.inf), reverse=True)[:100]
    above = below = 0.0
    for i in range(len(falling) - 1):
        t = math.log((i + 2) / (i + 1))
        above += t * (falling[i] - falling[i + 1])
        below += t * t
    s = above / below
    assume(abs(s - 1) > 1e-6 and s > 0.02)
    return ((s - 1) * 2**mu / (1 - vocab_size ** (1 - s))) ** (1 / s)


def assert_likeliest(result, row, count):
    """The `count` largest logits are left, the lower ids among equals."""
    order = sorted(np.flatnonzero(row > -np.inf).tolist(), key=lambda i: (-row[i], i))
    kept = sorted(order[:count])
    assert np.flatnonzero(result > -np.inf).tolist() == kept
    np.testing.assert_array_equal(result[kept], row[kept])


@settings(deadline=None)
@given(ROWS, TAU, st.floats(0.01, 1), st.integers(0, 2**32))
def test_version_1_is_the_formula_along_a_sequence(row, tau, eta, seed):
    assume(np.count_nonzero(row > -np.inf) > 1)
    rng = np.random.default_rng(seed)
    processor, mu = MirostatV1(tau, eta, len(row)), 2 * tau
    for _ in range(3):
        k = num_kept_by_v1(row, mu, len(row))
        assume(abs(k - round(k)) > 1e-6 * k)
        result = ours(processor, row)
        assert_likeliest(result, row, max(1, math.floor(min(k, len(row)))))
        token = int(rng.choice(np.flatnonzero(result > -np.inf)))
        processor.accept(token)
        mu -= eta * (surprise_of(result, token) - tau)


@settings(deadline=None)
@given(ROWS, TAU, st.floats(0.01, 1), st.integers(0, 2**32))
def test_version_2_is_the_formula_along_a_sequence(row, tau, eta, seed):
    rng = np.random.default_rng(seed)
    processor, mu = MirostatV2(tau, eta), 2 * tau
    for _ in range(4):
        probabilities = probabilities_of(row)
        surprises = -np.log2(probabilities[probabilities > 0])
        assume(np.abs(surprises - mu).min() > 1e-9)
        result = ours(processor, row)
        assert_likeliest(result, row, max(1, np.count_nonzero(surprises <= mu)))
        token = int(rng.choice(np.flatnonzero(result > -np.inf)))
        processor.accept(token)
        mu -= eta * (surprise_of(result, token) - tau)


@pytest.mark.parametrize("tau", [2.0, 3.5])
def test_the_mean_surprise_comes_near_tau(tau):
    rng = np.random.default_rng(2)
    processor, surprises = MirostatV2(tau, 0.1), []
    for _ in range(1500):
        row = (rng.normal(size=2000) * rng.uniform(2, 3)).astype(np.float32)
        result = ours(processor, row)
        token = int(rng.choice(len(row), p=probabilities_of(result)))
        processor.accept(token)
        surprises.append(surprise_of(result, token))
    assert abs(np.mean(surprises) - tau) < 0.1  # µ moved from 2τ to µ' says Σ(S - τ) = Δµ / η


@pytest.mark.parametrize("vocab_size", [2, 7, 100_000])
def test_version_1_at_its_limits(vocab_size):
    equal = np.zeros(vocab_size, np.float32)  # s = 0: ε · 2^µ / (1 - V) is above 1, or not
    enough = math.log2(vocab_size - 1) / 2
    result = ours(MirostatV1(enough + 0.1, 0.1, vocab_size), equal)
    np.testing.assert_array_equal(result, equal)
    if enough > 0.1:
        assert_likeliest(ours(MirostatV1(enough - 0.1, 0.1, vocab_size), equal), equal, 1)


def test_version_1_where_zipf_holds_exactly():
    ranks = np.arange(1, 201)
    row = (-np.log(ranks)).astype(np.float32)  # s = 1, within float32
    k = 2**8 / math.log(200)  # 48.3, the limit at ε = 0
    assert_likeliest(ours(MirostatV1(4.0, 0.1, 200), row), row, math.floor(k))
    assert MirostatV1(4.0, 0.1, 200)._log_count(1.0) == pytest.approx(math.log(k), rel=1e-12)


@pytest.mark.parametrize("kind", [lambda: MirostatV1(1, 1, 9), lambda: MirostatV2(1, 1)])
def test_what_stays_when_little_can(kind):
    one = np.array([-np.inf, 5, -np.inf], np.float32)
    processor = kind()
    assert isinstance(processor, Adaptive)
    processor.accept(1)  # nothing was processed yet, so there is nothing to learn
    for _ in range(5):
        np.testing.assert_array_equal(ours(processor, one), one)
        processor.accept(1)  # no surprise: µ grows by τ
        processor.accept(0)  # not left by the cut: teaches nothing
    flat = np.zeros(64, np.float32)
    np.testing.assert_array_equal(ours(processor, flat), flat)  # µ is 7
    for _ in range(10):
        ours(processor, flat)
        processor.accept(3)  # 6 bits of surprise, until the cut leaves one token
    assert np.count_nonzero(ours(kind(), flat) > -np.inf) == 1


def test_a_later_stage_may_write_into_the_row():
    row = np.array([3, 2, 1, 0], np.float32)  # µ = 3 leaves two, of which the first has 0.45 bits
    processor = MirostatV2(1.5, 0.5)
    written = row.copy()
    processor(written, Past())
    assert np.count_nonzero(written > -np.inf) == 2
    written[:] = 0
    processor.accept(0)
    mu = 3 - 0.5 * (surprise_of(row[:2], 0) - 1.5)
    for probability, num_kept in ((2 ** -(mu - 1e-4), 2), (2 ** -(mu + 1e-4), 1)):
        two = np.log(np.array([1 - probability, probability])).astype(np.float32)
        assert np.count_nonzero(ours(processor, two) > -np.inf) == num_kept


@pytest.mark.parametrize(
    ("arguments", "name"), [((0.0, 0.1), "mirostat_tau"), ((5.0, -1.0), "mirostat_eta")]
)
def test_other_numbers_are_refused(arguments, name):
    with pytest.raises(ConfigError, match=f"{name}="):
        MirostatV2(*arguments)
    with pytest.raises(ConfigError, match=f"{name}="):
        MirostatV1(*arguments, 100)
    with pytest.raises(ConfigError, match="vocab_size=1"):
        MirostatV1(5.0, 0.1, 1)
