"""The array that decoding works on; backends name their own, since neither room knows the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
"""Raw or processed scores: one row `(vocab_size,)`, or several `(rows, vocab_size)`."""
