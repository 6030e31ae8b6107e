"""The one boundary between the engine and whatever runs the model.

batch → logits `(rows, vocab_size)`. The engine owns the KV blocks: it decides which block belongs
to which sequence. A backend only reads and writes the blocks that a batch names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.utils.arrays import Logits

IntArray = NDArray[np.int32]

MIN_POSITIONS = 8192
MIN_BYTES = 1 << 28


@dataclass(frozen=True)
class Batch:
    """One ragged step: prefill chunks and decode tokens of S sequences, end to end, N in all.

    Attributes:
        tokens: `(N,)` int32, token ids.
        positions: `(N,)` int32, each token's position in its sequence, from 0. Within one
            sequence they are consecutive.
        starts: `(S + 1,)` int32; tokens of sequence s are `starts[s]:starts[s + 1]`.
        block_tables: `(S, M)` int32; position p of sequence s lies in block
            `block_tables[s, p // block_size]`. Entries past a sequence's last block are unread.
        logits_indices: `(R,)` int32, ascending indices into `tokens`: those whose logits are asked
            for, a row each.
    """

    tokens: IntArray
    positions: IntArray
    starts: IntArray
    block_tables: IntArray
    logits_indices: IntArray


@dataclass(frozen=True)
class BackendInfo:
    """What a backend is and what it can hold.

    Attributes:
        name: "native", "scripted", ...
        description: one line for people: model, quantization, instruction set, threads.
        vocab_size: length of a logits row.
        context_length: most positions of one sequence.
        block_size: positions in one KV block.
        num_blocks: KV blocks in the pool.
        max_batch_tokens: most tokens (N) of one batch.
        weight_bytes: bytes of weights that a decode step reads; 0 if unknown.
        kv_bytes_per_token: bytes of KV cache that one position takes; 0 if unknown.
        threads: threads that compute.
        attention_span: positions to attend to that cost a token as much as all its products; 0 if
            unknown. The scheduler cuts prompts by it, and nothing else depends on it.
        prompt_tokens_beside: prompt tokens that a step with running sequences bears without taking
            much longer. This, too, only cuts prompts.
        is_exact: whether a row's bits depend on the tokens before it alone, and not on how steps
            were cut. Where it is not, drafts may change logits by what rounding does.
    """

    name: str
    description: str
    vocab_size: int
    context_length: int
    block_size: int
    num_blocks: int
    max_batch_tokens: int
    weight_bytes: int = 0
    kv_bytes_per_token: int = 0
    threads: int = 1
    attention_span: int = 0
    prompt_tokens_beside: int = 8
    is_exact: bool = False


class Backend(Protocol):
    """Runs a model one ragged batch at a time."""

    @property
    def info(self) -> BackendInfo:
        """What this backend is; constant over its life."""
        ...

    def forward(self, batch: Batch) -> Logits:
        """Write the batch's keys and values into its blocks; return `(R, vocab_size)` float32.

        The result is the caller's to overwrite, and valid until the next call.
        """
        ...

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy each (source, destination) KV block, in order."""
        ...


def default_num_blocks(context_length: int, block_size: int, block_bytes: int) -> int:
    """KV blocks where the user does not say: two full contexts, or more where that is little.

    Up to 8,192 positions where these take at most 256 MiB, for models of short contexts: five
    beams of GPT-2 may come to hold five of them.

    Args:
        context_length: most positions of a sequence.
        block_size: positions in a block.
        block_bytes: of a block's keys and values.
    """
    contexts = 2 * -(-context_length // block_size)
    return max(contexts, min(MIN_POSITIONS // block_size, MIN_BYTES // block_bytes))
