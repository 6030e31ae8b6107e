import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.decoding.philox import philox4x64, uniform

WORD = st.integers(0, 2**64 - 1)


def numpy_philox(key: int, counter: int) -> list[int]:
    """numpy steps the counter before it encrypts, so it starts one before."""
    generator = np.random.Philox(key=key, counter=(counter - 1) % 2**256)
    return [int(word) for word in generator.random_raw(4)]


@given(st.tuples(WORD, WORD), st.tuples(WORD, WORD, WORD, WORD))
def test_agrees_with_numpy(key, counter):
    packed = sum(word << (64 * place) for place, word in enumerate(counter))
    assert list(philox4x64(key, counter)) == numpy_philox(key[0] | key[1] << 64, packed)


@pytest.mark.parametrize(
    ("seed", "sequence", "position"), [(0, 0, 0), (7, 2, 11), (2**64 - 1, 1, 9)]
)
def test_uniform_is_numpys_double(seed, sequence, position):
    key = seed | sequence << 64
    generator = np.random.Generator(
        np.random.Philox(key=key, counter=(position - 1) % 2**256),
    )
    assert uniform(seed, sequence, position) == generator.random()


def test_seed_sequence_and_position_each_matter():
    draws = {uniform(s, q, p) for s in range(10) for q in range(10) for p in range(10)}
    assert len(draws) == 1000
    assert all(0 <= value < 1 for value in draws)
