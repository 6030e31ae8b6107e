"""How many KV blocks a backend has where the user does not say."""

from __future__ import annotations

MIN_POSITIONS = 8192
MIN_BYTES = 1 << 28


def default_num_blocks(context_length: int, block_size: int, block_bytes: int) -> int:
    """Room for two full contexts; up to 8,192 positions where these take at most 256 MiB.

    The latter is for models of short contexts: five beams of GPT-2 may come to hold five of them.

    Args:
        context_length: most positions of a sequence.
        block_size: positions in a block.
        block_bytes: of a block's keys and values.
    """
    contexts = 2 * -(-context_length // block_size)
    return max(contexts, min(MIN_POSITIONS // block_size, MIN_BYTES // block_bytes))
