"""The distribution that a token is drawn from: what the settings make of the model's logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import History
from foretell.decoding.sampler import greedy
from foretell.decoding.softmax import softmax
from foretell.utils.arrays import Logits


def final_probabilities(
    row: Logits, config: GenerationConfig, history: History, context: ChainContext
) -> NDArray[np.float64]:
    """P of each token being chosen, `(vocab_size,)`, all of it on one token when greedy.

    `row` holds the raw logits and is left as it is. Raises NumericalError if they are broken.
    """
    final = row.copy()
    for stage in build_chain(config, context):
        stage.processor(final, history)
    if config.is_sampling:
        return softmax(final)
    certain = np.zeros(len(row))
    certain[greedy(final)] = 1.0
    return certain
