"""What the backend must know of any model."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.backends.native.plan import Heads


@dataclass(frozen=True)
class ModelShape:
    """Sizes that the KV cache and the engine depend on."""

    layers: int
    heads: Heads
    vocab_size: int
    context_length: int
