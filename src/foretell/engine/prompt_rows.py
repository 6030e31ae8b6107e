"""A look at the logits behind a prompt's own tokens, as they are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foretell.utils.arrays import Logits


@dataclass(frozen=True)
class PromptRows:
    """Which logits of a prompt are looked at, and by whom.

    Attributes:
        first: the position of the prompt whose logits are the first. Blocks before it may come
            from the prefix cache, and cost nothing.
        read: takes a position, and the logits behind it and the positions that follow,
            `(positions, vocab_size)`. They are valid during the call. It is called with each
            position once, in order, up to the prompt's last; what it raises ends the request.
    """

    first: int
    read: Callable[[int, Logits], None]
