"""The distribution that a token is drawn from: what the settings make of the model's logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.arrays import Logits
from foretell.decoding.chain import chain
from foretell.decoding.logprobs import softmax
from foretell.decoding.processors.base import History
from foretell.decoding.sampler import greedy


def final_probabilities(
    row: Logits, config: GenerationConfig, history: History
) -> NDArray[np.float64]:
    """P of each token being chosen, `(vocab_size,)`, all of it on one token when greedy.

    `row` holds the raw logits and is left as it is. Raises NumericalError if they are broken.
    """
    if not config.samples:
        certain = np.zeros(len(row))
        certain[greedy(row)] = 1.0
        return certain
    final = row.copy()
    for processor in chain(config):
        processor(final, history)
    return softmax(final)


def entropy(probabilities: NDArray[np.float64]) -> float:
    """-Σ p log p, in nats (Shannon 1948); what has no probability adds nothing."""
    possible = probabilities[probabilities > 0]
    return max(0.0, -float(possible @ np.log(possible)))
