"""The array that backends give and decoding works on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
"""Raw or processed scores: one row `(vocab_size,)`, or several `(rows, vocab_size)`."""
