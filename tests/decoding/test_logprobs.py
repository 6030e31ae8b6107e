import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.decoding.logprobs import report
from foretell.decoding.ranks import kth_largest, top_ids
from foretell.decoding.softmax import log_softmax, softmax
from foretell.errors import NumericalError


def random_row(seed, size, decimals=6):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=size) * 5).round(decimals).astype(np.float32)


@pytest.mark.parametrize("size", [1, 17, 8192, 30_000])
def test_log_softmax_and_softmax_are_torchs(size):
    row = random_row(size, size)
    expected = torch.from_numpy(row).double().log_softmax(0).numpy()
    np.testing.assert_allclose(log_softmax(row), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(softmax(row), np.exp(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("shift", [-3e4, 3e4])
def test_large_logits_do_not_overflow(shift):
    row = np.array([0, 1, -np.inf, 2], np.float32) + np.float32(shift)
    expected = torch.tensor([0.0, 1.0, -np.inf, 2.0]).double().log_softmax(0).numpy()
    np.testing.assert_allclose(log_softmax(row), expected, atol=1e-12)


@given(st.integers(0, 999), st.integers(1, 900), st.integers(0, 2), st.integers(0, 1000))
def test_top_ids_is_a_stable_sort(seed, size, decimals, count):
    row = random_row(seed, size, decimals)
    row[::7] = -np.inf
    expected = sorted(range(size), key=lambda token: (-row[token], token))[:count]
    assert top_ids(row, count).tolist() == expected


@given(st.integers(0, 99), st.integers(64, 5000), st.integers(0, 2), st.data())
def test_kth_largest_is_a_sorts(seed, size, decimals, data):
    row = random_row(seed, size, decimals)
    k = data.draw(st.integers(1, size))
    assert kth_largest(row, k) == np.sort(row)[size - k]


@pytest.mark.parametrize("size", [40, 30_000])
def test_report_ranks_and_logprobs(size):
    row = random_row(2, size, decimals=1)  # ties
    expected = torch.from_numpy(row).double().log_softmax(0).numpy()
    for token in (0, int(row.argmax()), int(row.argmin())):
        found = report(row, token, 12)
        ranked = [found.chosen, *found.top]
        assert found.chosen.token_id == token
        assert [entry.token_id for entry in found.top] == top_ids(row, 12).tolist()
        for entry in ranked:
            assert entry.logprob == pytest.approx(expected[entry.token_id], abs=1e-12)
            assert entry.rank == 1 + sum(row > row[entry.token_id])


def test_report_without_alternatives():
    assert report(random_row(1, 9), 4, 0).top == ()


def test_nan_is_refused():
    with pytest.raises(NumericalError, match="NaN"):
        log_softmax(np.array([1, np.nan], np.float32))
