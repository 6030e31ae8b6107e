"""From spans to the ragged batch that a backend runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from foretell.backends.base import Batch, IntArray
from foretell.engine.step_plan import Span


def assemble(spans: Sequence[Span], block_size: int) -> Batch:
    """Lay the spans' tokens end to end; rows of logits come in the order of the spans."""
    tokens: list[int] = []
    positions: list[int] = []
    logits_indices: list[int] = []
    for span in spans:
        tokens += span.sequence.tokens[span.start : span.stop]
        tokens += span.drafts
        positions += range(span.start, span.stop + len(span.drafts))
        logits_indices += range(len(tokens) - span.num_rows, len(tokens))
    # of a list: a generator is entered anew for each span of each step
    starts = [0, *accumulate([span.stop - span.start + len(span.drafts) for span in spans])]
    return Batch(
        tokens=np.array(tokens, dtype=np.int32),
        positions=np.array(positions, dtype=np.int32),
        starts=np.array(starts, dtype=np.int32),
        block_tables=_block_tables(spans, block_size),
        logits_indices=np.array(logits_indices, dtype=np.int32),
    )


def _block_tables(spans: Sequence[Span], block_size: int) -> IntArray:
    counts = [-(-(span.stop + len(span.drafts)) // block_size) for span in spans]
    tables = np.zeros((len(spans), max(counts)), dtype=np.int32)
    for row, span, count in zip(tables, spans, counts, strict=True):
        row[:count] = span.sequence.table[:count]
    return tables
