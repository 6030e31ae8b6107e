from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.processor_rows import FINITE, LEVELS, logits
from transformers import UnbatchedClassifierFreeGuidanceLogitsProcessor

from foretell.decoding.processors.guidance import guide
from foretell.errors import ConfigError, NumericalError

VALUES = st.one_of(st.sampled_from(LEVELS), FINITE)
PAIRS = st.integers(1, 300).flatmap(
    lambda size: st.tuples(*[hnp.arrays(np.float32, size, elements=VALUES)] * 2)
)


class Unconditional:
    """A model for transformers' processor that answers with one row of logits."""

    def __init__(self, row):
        self._row = torch.from_numpy(row)[None, None]

    def __call__(self, *args, **kwargs):
        return Answer(logits=self._row)


class Answer(SimpleNamespace):
    def get(self, name, default):
        return getattr(self, name, default)


def guided(conditional, unconditional, scale):
    result = conditional.copy()
    before = unconditional.copy()
    assert guide(result, unconditional, scale) is None
    np.testing.assert_array_equal(unconditional, before)
    return result


@settings(deadline=None)
@given(PAIRS, st.floats(0, 10))
def test_guidance_is_transformers(rows, scale):
    conditional, unconditional = rows
    model = Unconditional(unconditional.astype(np.float64))
    oracle = UnbatchedClassifierFreeGuidanceLogitsProcessor(scale, model)
    scores = torch.from_numpy(conditional.astype(np.float64))[None]
    expected = oracle(torch.tensor([[1, 2]]), scores)[0].numpy()
    result = guided(conditional, unconditional, scale)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-12)


def test_guidance_worked_example():
    conditional, unconditional = (np.log(np.array(p, np.float32)) for p in ([0.5] * 2, [0.8, 0.2]))
    result = guided(conditional, unconditional, 2.0)
    np.testing.assert_allclose(result, np.log([0.5**2 / 0.8, 0.5**2 / 0.2]), rtol=1e-6)


@settings(deadline=None)
@given(logits(max_size=6, min_size=6), logits(max_size=6, min_size=6), st.floats(0, 10))
def test_ruled_out_tokens_have_an_answer(conditional, unconditional, scale):
    result = guided(conditional, unconditional, scale)
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(conditional))
    alone = np.isfinite(conditional) & ~np.isfinite(unconditional)
    own = conditional - np.logaddexp.reduce(conditional.astype(np.float64))
    np.testing.assert_allclose(result[alone], own[alone], rtol=1e-6, atol=1e-12)


def test_extreme_logits_stay_finite():
    row = np.array([3e38, -3e38, 0], np.float32)
    for scale in (0.0, 2.0, 1e30, 1e300):
        assert np.isfinite(guided(row, row[::-1].copy(), scale)).all()


def test_nonsense_is_refused():
    row = np.zeros(3, np.float32)
    with pytest.raises(ConfigError, match="guidance_scale=nan"):
        guide(row, row, float("nan"))
    with pytest.raises(NumericalError, match="rows of 3 and 2 logits"):
        guide(row, row[:2], 2.0)
    with pytest.raises(NumericalError, match="must be finite"):
        guide(row, np.full(3, np.nan, np.float32), 2.0)
