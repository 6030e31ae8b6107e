"""What every backend must hold to. A test class inherits it and makes the backend.

    class TestScripted(BackendContract):
        @pytest.fixture
        def backend(self): ...

The backend needs a context of 4 blocks, 16 blocks in its pool, and batches of 4 blocks' tokens. Its
logits must be the same bit by bit, unless the class says what its kernels cannot promise.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from foretell.backends.base import Batch


@dataclass(frozen=True)
class Piece:
    """Tokens of one sequence from position `start` on; rows are asked for of all of them."""

    tokens: list[int]
    blocks: list[int]
    start: int = 0
    wants: bool = True


def batch_of(pieces):
    width = max(len(piece.blocks) for piece in pieces)
    lengths = [len(piece.tokens) for piece in pieces]
    wants = np.repeat([piece.wants for piece in pieces], lengths)
    return Batch(
        tokens=np.concatenate([piece.tokens for piece in pieces]).astype(np.int32),
        positions=np.concatenate(
            [piece.start + np.arange(len(piece.tokens)) for piece in pieces]
        ).astype(np.int32),
        starts=np.cumsum([0, *lengths]).astype(np.int32),
        block_tables=np.array(
            [piece.blocks + [0] * (width - len(piece.blocks)) for piece in pieces], dtype=np.int32
        ),
        logits_indices=np.flatnonzero(wants).astype(np.int32),
    )


def run(backend, *pieces):
    """Logits of all rows asked for, copied."""
    return backend.forward(batch_of(pieces)).copy()


def some_tokens(backend, count, seed=0):
    return np.random.default_rng(seed).integers(0, backend.info.vocab_size, count).tolist()


class BackendContract:
    """The tests; one `backend` may serve them all.

    Attributes:
        tolerance: by how much logits may differ that should be the same.
    """

    tolerance = 0.0

    def assert_same(self, actual, expected):
        if self.tolerance:
            np.testing.assert_allclose(actual, expected, rtol=0, atol=self.tolerance)
        else:
            np.testing.assert_array_equal(actual, expected)

    def test_info_has_room(self, backend):
        info = backend.info
        assert info.context_length >= 4 * info.block_size
        assert info.num_blocks >= 16
        assert info.max_batch_tokens >= 4 * info.block_size

    def test_logits_are_float32_rows_that_the_caller_may_overwrite(self, backend):
        tokens = some_tokens(backend, 5)
        logits = backend.forward(batch_of([Piece(tokens, [0, 1])]))
        assert logits.dtype == np.float32
        assert logits.shape == (5, backend.info.vocab_size)
        assert np.isfinite(logits).all()
        expected = logits.copy()
        logits[:] = np.nan
        self.assert_same(run(backend, Piece(tokens, [2, 3])), expected)

    def test_logits_depend_on_the_whole_history(self, backend):
        tokens = some_tokens(backend, 2 * backend.info.block_size + 1)
        other = [(tokens[0] + 1) % backend.info.vocab_size, *tokens[1:]]
        first = run(backend, Piece(tokens, [0, 1, 2]))
        second = run(backend, Piece(other, [3, 4, 5]))
        assert (np.abs(first - second).max(axis=1) > self.tolerance).all()

    @pytest.mark.parametrize("chunk", [1, 2, 3, 7])
    def test_chunking_changes_nothing(self, backend, chunk):
        tokens = some_tokens(backend, 3 * backend.info.block_size + 2)
        whole = run(backend, Piece(tokens, [0, 1, 2, 3]))
        pieces = [
            Piece(tokens[start : start + chunk], [7, 4, 6, 5], start)
            for start in range(0, len(tokens), chunk)
        ]
        chunked = np.concatenate([run(backend, piece) for piece in pieces])
        self.assert_same(chunked, whole)

    def test_neighbours_change_nothing(self, backend):
        size = backend.info.block_size
        lengths = [1, size, size + 1, 2]
        sequences = [some_tokens(backend, length + 1, seed=length) for length in lengths]
        tables = [[2 * place, 2 * place + 1] for place in range(4)]
        pairs = list(zip(sequences, tables, strict=True))
        together = [
            run(backend, *(Piece(tokens[:-1], table) for tokens, table in pairs)),
            run(backend, *(Piece(tokens[-1:], table, len(tokens) - 1) for tokens, table in pairs)),
        ]
        alone = [run(backend, Piece(tokens, [8, 9])) for tokens in sequences]
        self.assert_same(together[0], np.concatenate([rows[:-1] for rows in alone]))
        self.assert_same(together[1], np.concatenate([rows[-1:] for rows in alone]))

    def test_prefill_and_decode_share_a_batch(self, backend):
        one, two = some_tokens(backend, 6, seed=1), some_tokens(backend, 9, seed=2)
        alone = [run(backend, Piece(one, [0, 1, 2])), run(backend, Piece(two, [3, 4, 5]))]
        run(backend, Piece(one[:5], [6, 7, 8]))
        mixed = run(backend, Piece(two, [9, 10, 11]), Piece(one[5:], [6, 7, 8], 5))
        self.assert_same(mixed[:9], alone[1])
        self.assert_same(mixed[9:], alone[0][5:])

    def test_only_wanted_rows_come_in_order(self, backend):
        one, two = some_tokens(backend, 6, seed=1), some_tokens(backend, 5, seed=2)
        pieces = [Piece(one, [0, 1]), Piece(two, [2, 3])]
        full = run(backend, *pieces)
        batch = batch_of(pieces)
        indices = np.array([1, 5, 6, 10], dtype=np.int32)
        some = Batch(batch.tokens, batch.positions, batch.starts, batch.block_tables, indices)
        self.assert_same(backend.forward(some), full[indices])

    def test_a_batch_without_wanted_rows_still_writes(self, backend):
        tokens = some_tokens(backend, 6)
        expected = run(backend, Piece(tokens, [0, 1]))
        nothing = run(backend, Piece(tokens[:4], [2, 3], wants=False))
        assert nothing.shape == (0, backend.info.vocab_size)
        self.assert_same(run(backend, Piece(tokens[4:], [2, 3], 4)), expected[4:])

    def test_a_reused_block_forgets(self, backend):
        old, new = some_tokens(backend, 8, seed=1), some_tokens(backend, 3, seed=2)
        expected = run(backend, Piece(new, [0, 1]))
        run(backend, Piece(old, [2, 3]))
        self.assert_same(run(backend, Piece(new, [2, 3])), expected)

    def test_positions_can_be_rolled_back_and_rewritten(self, backend):
        length = 4 if backend.info.can_go_back else backend.info.block_size
        kept = some_tokens(backend, length)
        wrong, right = (some_tokens(backend, 4, seed=seed) for seed in (1, 2))
        expected = run(backend, Piece(kept + right, [0, 1, 2]))[length:]
        run(backend, Piece(kept + wrong, [3, 4, 5]))
        self.assert_same(run(backend, Piece(right, [3, 4, 5], length)), expected)

    def test_a_full_block_can_be_shared(self, backend):
        size = backend.info.block_size
        prefix = some_tokens(backend, size)
        ends = [some_tokens(backend, 3, seed=seed) for seed in (1, 2)]
        expected = [run(backend, Piece(prefix + end, [0, 1]))[size:] for end in ends]
        run(backend, Piece(prefix, [2]))
        pieces = [Piece(end, [2, 3 + place], size) for place, end in enumerate(ends)]
        self.assert_same(run(backend, *pieces), np.concatenate(expected))

    def test_copied_blocks_go_their_own_ways(self, backend):
        prefix = some_tokens(backend, 3)
        ends = [some_tokens(backend, 4, seed=seed) for seed in (1, 2)]
        expected = [run(backend, Piece(prefix + end, [0, 1, 2]))[3:] for end in ends]
        run(backend, Piece(prefix, [3]))
        backend.copy_blocks([(3, 4)])
        pieces = [Piece(ends[0], [3, 5, 6], 3), Piece(ends[1], [4, 7, 8], 3)]
        self.assert_same(run(backend, *pieces), np.concatenate(expected))

    def test_copies_are_made_in_order(self, backend):
        tokens = some_tokens(backend, 4)
        expected = run(backend, Piece(tokens, [0, 1]))[3:]
        run(backend, Piece(tokens[:3], [2]))
        backend.copy_blocks([(2, 3), (3, 4)])
        backend.copy_blocks([])
        self.assert_same(run(backend, Piece(tokens[3:], [4, 5], 3)), expected)
