import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.processor_rows import logits, long_logits, ours, theirs
from transformers import InfNanRemoveLogitsProcessor, LogitNormalization

from foretell.decoding.processors.guards import RemoveInvalidValues, Renormalize
from foretell.errors import NumericalError

ANY = st.one_of(st.floats(width=32), st.sampled_from([np.nan, np.inf, -np.inf]))


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(1, 200), elements=ANY))
def test_invalid_values_are_removed_as_in_transformers(row):
    expected = theirs(InfNanRemoveLogitsProcessor(), row)
    result = ours(RemoveInvalidValues(), row)
    np.testing.assert_array_equal(result, expected)
    assert np.isfinite(result).all()


@settings(deadline=None)
@given(st.one_of(logits(), long_logits()))
def test_renormalized_logits_are_transformers(row):
    expected = theirs(LogitNormalization(), row.astype(np.float64))
    result = ours(Renormalize(), row)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(result == -np.inf, row == -np.inf)


def test_renormalized_extremes_keep_a_finite_maximum():
    row = np.array([3e38, -3e38, 3e38, -np.inf], np.float32)
    result = ours(Renormalize(), row)
    np.testing.assert_allclose(result[[0, 2]], np.log(0.5), rtol=1e-6)
    assert result[1] == result[3] == -np.inf  # the distance 6e38 is beyond float32


@pytest.mark.parametrize("fill", [np.nan, -np.inf])
def test_an_impossible_row_is_an_error(fill):
    with pytest.raises(NumericalError, match="its maximum must be finite"):
        ours(Renormalize(), np.full(4, fill, np.float32))
