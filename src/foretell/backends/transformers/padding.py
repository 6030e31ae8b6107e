"""From a ragged batch to padded passes, for models that take `(B, q)` tokens.

for sequences in passes(batch):
    view, outputs = View.of(batch, sequences, block_size), OutputRows.of(batch, sequences)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.backends.base import Batch

Indices = NDArray[np.int64]
SPARE_POSITIONS = 1024  # padded positions in a pass that are cheaper than another pass


def passes(batch: Batch, *, pads: bool = True) -> Iterator[Indices]:
    """The sequences of a batch in groups, one a pass: as many tokens each, not too unlike lengths.

    At most half of a pass, besides some spare positions, is padding; none unless it `pads`.
    """
    counts = np.diff(batch.starts)
    lengths = _lengths(batch)
    group: list[int] = []
    num_real = 0
    for sequence in np.lexsort((-lengths, counts)).tolist():
        num_real += int(lengths[sequence])
        if group:
            size = int(lengths[group[0]]) * (len(group) + 1)
            most = 2 * num_real + SPARE_POSITIONS if pads else num_real
            if size > most or counts[sequence] != counts[group[0]]:
                yield np.array(group)
                group, num_real = [], int(lengths[sequence])
        group.append(sequence)
    yield np.array(group)


@dataclass(frozen=True)
class View:
    """Where the tokens of one pass lie: B sequences with q new tokens each, padded on the left.

    Positions are counted in a store whose first block is nobody's: block b begins at
    `(b + 1) * block_size`.

    Attributes:
        tokens: `(B, q)`, the new tokens' indices into the batch.
        cells: `(B, L)`, where each token up to the last is stored; 0 where there is none.
        is_real: `(B, L)`, whether there is one.
        num_past: L - q.
    """

    tokens: Indices
    cells: Indices
    is_real: NDArray[np.bool_]
    num_past: int

    @classmethod
    def of(cls, batch: Batch, sequences: Indices, block_size: int) -> View:
        """The view of these sequences of a batch."""
        firsts, stops = batch.starts[sequences], batch.starts[sequences + 1]
        count = int(stops[0] - firsts[0])
        lengths = _lengths(batch)[sequences]
        longest = int(lengths.max())
        positions = np.arange(longest) - (longest - lengths)[:, None]
        is_real = positions >= 0
        blocks, slots = np.divmod(np.maximum(positions, 0), block_size)
        blocks = np.take_along_axis(batch.block_tables[sequences].astype(np.int64), blocks, axis=1)
        cells = np.where(is_real, (blocks + 1) * block_size + slots, 0)
        tokens = firsts.astype(np.int64)[:, None] + np.arange(count)
        return cls(tokens, cells, is_real, longest - count)


@dataclass(frozen=True)
class OutputRows:
    """Which logits of one pass are asked for, W in all.

    Attributes:
        indices: `(W,)`, their rows in the answer to the batch.
        rows: `(W,)`, their sequences, as the pass counts them.
        kept: the columns of new tokens that are asked for of any sequence, ascending; at least one.
        columns: `(W,)`, their columns as indices into `kept`.
    """

    indices: Indices
    rows: Indices
    kept: Indices
    columns: Indices

    @classmethod
    def of(cls, batch: Batch, sequences: Indices) -> OutputRows:
        """The rows asked for of these sequences of a batch."""
        owners = np.searchsorted(batch.starts, batch.logits_indices, side="right") - 1
        row_of = np.full(len(batch.starts) - 1, -1)
        row_of[sequences] = np.arange(len(sequences))
        indices = np.flatnonzero(row_of[owners] >= 0)
        owners = owners[indices]
        kept, columns = np.unique(
            batch.logits_indices[indices] - batch.starts[owners], return_inverse=True
        )
        if not len(kept):
            kept = np.zeros(1)
        return cls(indices, row_of[owners], kept.astype(np.int64), columns.reshape(-1))


def _lengths(batch: Batch) -> Indices:
    """Tokens of each sequence up to the batch's last, `(S,)`."""
    return batch.positions[batch.starts[1:] - 1].astype(np.int64) + 1
