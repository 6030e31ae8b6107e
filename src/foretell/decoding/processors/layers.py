"""Decoding by contrasting layers (Chuang et al. 2023, arXiv 2309.03883): which, and how."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.decoding.fused.chain import to_log_probabilities
from foretell.decoding.fused.elementary import divergence, exp, log_of
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits
from foretell.utils.quoting import quote

RELATIVE_TOP = 0.1
"""Tokens below this share of the likeliest one's probability are ruled out."""

DEEP = 40
"""Of models with more layers, as many candidates are taken as of one with this number."""


def candidate_layers(
    wanted: str | Sequence[int], num_layers: int, *, ties_embeddings: bool
) -> tuple[int, ...]:
    """The layers that may be contrasted with, by what they begin with: 0 is the embeddings.

    Where the output matrix is that of the embeddings, these would say the last token again, so that
    "low" begins later. ConfigError if the model has no such layer.
    """
    half, end = num_layers // 2, num_layers
    reach = half if num_layers <= DEEP else DEEP // 2
    if wanted == "low":
        start = min(2, max(0, num_layers - 1)) if ties_embeddings and num_layers > 1 else 0
        return (start,) if start == half else tuple(range(start, reach, 2)) or (start,)
    if wanted == "high":
        return tuple(range(half if num_layers <= DEEP else end - reach, end, 2))
    layers = tuple(dict.fromkeys(int(layer) for layer in wanted))
    if max(layers) >= num_layers:
        raise ConfigError(
            f"dola_layers={quote(list(layers))}: this model has {num_layers} layers, so each must "
            f"be 0 to {num_layers - 1}"
        )
    return layers


def contrast(row: Logits, early: NDArray[np.float32]) -> None:
    """Write the last layer's log-probabilities less those of the early layer that differs most.

    Args:
        row: `(vocab_size,)`, the model's own.
        early: `(layers, vocab_size)`, the candidates' logits, which are overwritten.
    """
    to_log_probabilities(row)
    for one in early:
        to_log_probabilities(one)
    base = early[0]
    if len(early) > 1:
        odds = exp(row)
        base = early[int(np.argmax([divergence(odds, row, one) for one in early]))]
    is_unlikely = row < row.max() + np.float32(log_of(RELATIVE_TOP))
    row -= base
    row[is_unlikely] = -np.inf
