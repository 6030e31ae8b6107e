"""What the tests of processors share: rows of logits, histories, and transformers' answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from foretell.errors import NumericalError


@dataclass(frozen=True)
class Past:
    """A sequence's history: the ids, and how many of them are the prompt's."""

    tokens: Sequence[int] = (1, 2)
    num_prompt_tokens: int = 2
    index: int = 0


LEVELS = [-3.5, -1.0, 0.0, 0.25, 0.25, 2.0, 7.5]  # few values, so ties abound
FINITE = st.floats(-30, 30, width=32, allow_subnormal=False)


@st.composite
def logits(draw, min_size=1, max_size=300):
    """Random logits with ties and -inf; at least one is finite."""
    size = draw(st.integers(min_size, max_size))
    values = st.one_of(st.sampled_from(LEVELS), FINITE, st.just(-np.inf))
    row = draw(hnp.arrays(np.float32, size, elements=values))
    assume(np.isfinite(row.max()))
    return row


@st.composite
def long_logits(draw, max_size=100_000):
    """A long row from a seed: normal logits, rounded so that ties abound, and some -inf."""
    size = draw(st.integers(1_000, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    row = rng.normal(0, draw(st.sampled_from([0.5, 2.0, 6.0])), size).astype(np.float32)
    row = row.round(draw(st.sampled_from([0, 1, 6])))
    row[rng.random(size) < draw(st.sampled_from([0.0, 0.3]))] = -np.inf
    row[rng.integers(size)] = 9.0
    return row


def ours(processor, row, past=Past()):
    """What a processor makes of a copy of the row."""
    result = row.copy()
    assert processor(result, past) is None
    return result


def theirs(warper, row, past=Past()):
    """transformers' answer; in float64, for its sums, wherever the row is float64."""
    import torch

    scores = torch.from_numpy(row.copy())[None]
    ids = torch.tensor([list(past.tokens)], dtype=torch.long)
    return warper(ids, scores)[0].numpy()


def agree(processor, oracle, row, past, setting):
    """Our answer is transformers', or an error where transformers leaves nothing."""
    expected = theirs(oracle, row, past)
    if expected.max() == -np.inf:
        with pytest.raises(NumericalError, match=f"^{setting} leaves no token possible"):
            ours(processor, row, past)
    else:
        np.testing.assert_array_equal(ours(processor, row, past), expected)
