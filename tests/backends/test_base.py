"""What all backends share: how many KV blocks there are where nobody says."""

from __future__ import annotations

import pytest

from foretell.backends.base import default_num_blocks

MIB = 1 << 20


@pytest.mark.parametrize(
    ("context_length", "block_bytes", "blocks"),
    [
        (8192, MIB // 4, 1024),  # two contexts are more than the least
        (8193, MIB // 4, 1026),
        (64, 1024, 512),
        (1024, 589_824, 455),  # GPT-2 in float16: 256 MiB, seven contexts
        (512, 8 * MIB, 64),  # where blocks are large, two contexts are all
        (512, 1024 * MIB, 64),
    ],
)
def test_two_contexts_or_some_memory(context_length: int, block_bytes: int, blocks: int) -> None:
    assert default_num_blocks(context_length, 16, block_bytes) == blocks
