import dataclasses

import numpy as np
import pytest
from support.backend_contract import BackendContract, Piece, batch_of, run

from foretell.backends.scripted import ScriptedBackend, improvise, recite

VOCAB = 50


def make(**sizes):
    return ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB, **sizes)


class TestScripted(BackendContract):
    @pytest.fixture(params=[4, 5])
    def backend(self, request):
        return make(block_size=request.param)


def test_recite_follows_the_script():
    backend = ScriptedBackend(recite([5, 6, 7], [5, 8], vocab_size=9), vocab_size=9)
    assert run(backend, Piece([5, 6], [0])).argmax(axis=1).tolist() == [6, 7]
    with pytest.raises(ValueError, match=r"history \[6\] begins no line"):
        run(backend, Piece([6], [1]))


def test_improvise_is_fixed_by_history_and_seed():
    row = improvise(VOCAB, seed=1)((3, 4))
    np.testing.assert_array_equal(row, improvise(VOCAB, seed=1)((3, 4)))
    assert (row != improvise(VOCAB, seed=2)((3, 4))).any()
    assert (row != improvise(VOCAB, seed=1)((4, 3))).any()


def test_it_remembers_its_batches():
    backend = make()
    run(backend, Piece([1, 2], [0]))
    assert [batch.tokens.tolist() for batch in backend.batches] == [[1, 2]]


def int32(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": int32(1, 2, 3, 4, 5).astype(np.int64)}, "tokens is int64"),
        ({"tokens": int32(1, 2, 3, 4)}, "differ in length"),
        ({"tokens": int32(1, 2, 3, 4, VOCAB)}, "not in the vocabulary"),
        ({"tokens": int32(1, 2, 3, 4, -1)}, "not in the vocabulary"),
        ({"positions": int32(0, 1, 3, 0, 1)}, "not consecutive"),
        ({"positions": int32(0, 1, 2, 255, 256)}, "past the end"),
        ({"positions": int32(1, 2, 3, 0, 1)}, "does not hold position 0"),
        ({"starts": int32(0, 3, 4)}, "must go from 0 to 5"),
        ({"starts": int32(0, 0, 5)}, "sequence without tokens"),
        ({"starts": int32(0, 5)}, "one block table"),
        ({"block_tables": int32(0, 1)}, "1 dimensions"),
        ({"block_tables": int32(0, 0)[:, None]}, "written and has another holder"),
        ({"block_tables": int32(0, 128)[:, None]}, "block 128 does not exist"),
        ({"logits_indices": int32(4, 5)}, "wanted row does not exist"),
        ({"logits_indices": int32(3, 1)}, "not ascending"),
    ],
)
def test_a_broken_batch_is_refused(changes, message):
    good = batch_of([Piece([1, 2, 3], [0]), Piece([4, 5], [1])])
    make().forward(good)
    with pytest.raises(ValueError, match=message):
        make().forward(dataclasses.replace(good, **changes))


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (Piece([1] * 5, [0]), "block table 0 is too short"),
        (Piece([1] * 5, [3, 3]), "names a block twice"),
        (Piece([1] * 65, list(range(20))), "65 tokens in one batch"),
    ],
)
def test_a_broken_piece_is_refused(piece, message):
    with pytest.raises(ValueError, match=message):
        run(make(), piece)


def test_a_shared_block_must_not_be_written():
    backend = make()
    run(backend, Piece([1, 2, 3], [0]))
    with pytest.raises(ValueError, match="block 0 is written"):
        run(backend, Piece([4], [0], 3), Piece([4, 5], [0, 1], 3))


def test_a_wrong_table_changes_the_history():
    backend = make()
    right = run(backend, Piece([1, 2, 3, 4, 5], [0, 1]))[-1]
    run(backend, Piece([9, 9, 9, 9], [2]))
    assert (run(backend, Piece([5], [2, 3], 4))[-1] != right).any()


@pytest.mark.parametrize("pair", [(0, 128), (-1, 0)])
def test_copying_what_does_not_exist_is_refused(pair):
    with pytest.raises(ValueError, match="does not exist"):
        make().copy_blocks([pair])
