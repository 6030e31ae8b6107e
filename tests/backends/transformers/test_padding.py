"""Padded passes: every sequence once, and each token where its block is."""

from __future__ import annotations

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.backend_contract import Piece, batch_of

from foretell.backends.transformers.padding import SPARE_POSITIONS, OutputRows, View, passes

SIZE = 4
SEQUENCES = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5)), min_size=1, max_size=12)


def batch_from(spans, wants=True):
    """A batch of sequences `(start, count)`; the blocks of sequence s are s + 1, s + 101, ..."""
    pieces = []
    for place, (start, count) in enumerate(spans):
        blocks = [place + 1 + 100 * block for block in range((start + count - 1) // SIZE + 1)]
        pieces.append(Piece([place] * count, blocks, start, wants))
    return batch_of(pieces)


@given(SEQUENCES)
def test_every_sequence_runs_once_beside_its_like(spans):
    groups = [group.tolist() for group in passes(batch_from(spans))]
    assert sorted(chain.from_iterable(groups)) == list(range(len(spans)))
    for group in groups:
        counts = {spans[sequence][1] for sequence in group}
        lengths = [sum(spans[sequence]) for sequence in group]
        assert len(counts) == 1
        assert len(group) * max(lengths) <= 2 * sum(lengths) + SPARE_POSITIONS


@given(SEQUENCES)
def test_without_padding_only_equal_lengths_share_a_pass(spans):
    groups = [group.tolist() for group in passes(batch_from(spans), pads=False)]
    assert sorted(chain.from_iterable(groups)) == list(range(len(spans)))
    assert all(len({spans[sequence] for sequence in group}) == 1 for group in groups)
    assert len(groups) == len(set(spans))


def test_lengths_that_are_alike_share_one_pass():
    spans = [(100 + place, 1) for place in range(8)]
    assert [len(group) for group in passes(batch_from(spans))] == [8]


@given(SEQUENCES)
def test_a_view_leads_to_each_position(spans):
    batch = batch_from(spans)
    for group in passes(batch):
        view = View.of(batch, group, SIZE)
        assert view.cells.shape == view.is_real.shape
        assert (view.cells[~view.is_real] == 0).all()
        for row, sequence in enumerate(group.tolist()):
            start, count = spans[sequence]
            length = start + count
            past = np.arange(length)
            cells = (sequence + 1 + 100 * (past // SIZE) + 1) * SIZE + past % SIZE
            np.testing.assert_array_equal(view.cells[row, -length:], cells)
            assert view.is_real[row].sum() == length
            assert view.num_past == view.cells.shape[1] - count
            assert (batch.tokens[view.tokens[row]] == sequence).all()
            np.testing.assert_array_equal(batch.positions[view.tokens[row]], past[start:])


@given(SEQUENCES, st.randoms(use_true_random=False))
def test_rows_asked_for_find_their_tokens(spans, dice):
    batch = batch_from(spans)
    number = dice.randint(0, len(batch.tokens))
    wanted = np.array(sorted(dice.sample(range(len(batch.tokens)), number)), np.int32)
    batch = type(batch)(batch.tokens, batch.positions, batch.starts, batch.block_tables, wanted)
    found = np.full(number, -1)
    for group in passes(batch):
        view, picked = View.of(batch, group, SIZE), OutputRows.of(batch, group)
        assert len(picked.kept) >= 1
        found[picked.indices] = view.tokens[picked.rows, picked.kept[picked.columns]]
    np.testing.assert_array_equal(found, wanted)
