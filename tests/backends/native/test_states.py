"""States inside the model: asked for or not, beside whom and by however many threads."""

from __future__ import annotations

import numpy as np
import pytest
from support.backend_contract import Piece, batch_of, some_tokens
from support.kernel_bench import ISAS
from support.states import states_of

from foretell.backends.base import StatesAsked

NONE = np.empty(0, np.int32)
NO_PAIRS = np.empty((0, 2), np.int32)


@pytest.mark.parametrize("isa", ISAS)
def test_the_same_bits_for_any_threads_and_chunks(load, tiny_model_path, isa):
    first = load(tiny_model_path, ISAS[0], threads=1)
    ids = some_tokens(first, 20)
    (expected,) = states_of(first, ids, [20])
    for threads, chunks in ((1, [20]), (3, [7, 13]), (2, [1] * 20)):
        found = states_of(load(tiny_model_path, isa, threads=threads), ids, chunks)
        for name in ("logits", "hidden", "early_logits"):
            rows = np.concatenate([getattr(one, name) for one in found])
            np.testing.assert_array_equal(rows, getattr(expected, name))


@pytest.mark.parametrize("threads", [1, 3])
def test_some_tokens_of_several_sequences(load, tiny_model_path, threads):
    backend = load(tiny_model_path, threads=threads)
    ids, others = some_tokens(backend, 9, seed=1), some_tokens(backend, 6, seed=2)
    (expected,) = states_of(backend, ids, [9])
    batch = batch_of([Piece(others, [2], wants=False), Piece(ids, [3], wants=False)])
    rows = type(batch)(
        batch.tokens,
        batch.positions,
        batch.starts,
        batch.block_tables,
        np.array([5, 10, 14], np.int32),
    )
    logits = backend.forward(rows).copy()
    asked = StatesAsked(np.array([6, 8, 10, 14], np.int32), np.array([[2, 1], [1, 0]], np.int32))
    states = backend.forward_with_states(rows, asked)
    np.testing.assert_array_equal(states.logits, logits)
    np.testing.assert_array_equal(states.hidden, expected.hidden[[0, 2, 4, 8]])
    layers = backend.info.num_layers
    early = expected.early_logits.reshape(len(ids), layers, -1)
    np.testing.assert_array_equal(states.early_logits, [early[8, 1], early[4, 0]])
    np.testing.assert_array_equal(backend.forward(rows), logits)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (StatesAsked(np.array([1, 0], np.int32), NO_PAIRS), "do not ascend"),
        (StatesAsked(np.array([5], np.int32), NO_PAIRS), "not there"),
        (StatesAsked(NONE, np.array([[5, 0]], np.int32)), "row that is not there"),
        (StatesAsked(NONE, np.array([[0, 99]], np.int32)), "layer that is not there"),
    ],
)
def test_what_is_not_there_is_refused(load, tiny_model_path, asked, message):
    backend = load(tiny_model_path)
    with pytest.raises(ValueError, match=message):
        backend.forward_with_states(batch_of([Piece(some_tokens(backend, 3), [0])]), asked)
