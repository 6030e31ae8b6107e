"""The one boundary between the engine and whatever runs the model.

batch → logits `(rows, vocab_size)`. The engine owns the KV blocks: it decides which block belongs
to which sequence. A backend only reads and writes the blocks that a batch names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from foretell.utils.arrays import Logits

IntArray = NDArray[np.int32]
Bytes = NDArray[np.uint8]

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
class StatesAsked:
    """What else than logits is asked of a batch: states that lie inside the model.

    Attributes:
        hidden_indices: `(H,)` int32, ascending indices into the batch's tokens: those whose last
            hidden state is asked for, which the output matrix is multiplied with.
        early: `(P, 2)` int32, pairs of a row of the batch's logits and a layer: the logits that the
            output matrix makes of what this layer begins with, for that row's token.
    """

    hidden_indices: IntArray
    early: IntArray


@dataclass(frozen=True)
class States:
    """A batch's logits, and the states asked for.

    Attributes:
        logits: `(R, vocab_size)` float32.
        hidden: `(H, width)` float32.
        early_logits: `(P, vocab_size)` float32.
    """

    logits: Logits
    hidden: Logits
    early_logits: Logits


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
        state_bytes: bytes of recurrent state of a sequence, of which each block has one: that after
            the last position written there. 0: the model has none. With a state a sequence can go
            on in a block, or begin anew at one, but not go back within it.
        num_layers: layers of which `forward_with_states` can tell; 0 where there is no such method.
        ties_embeddings: whether the output matrix is that of the embeddings.
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
    state_bytes: int = 0
    num_layers: int = 0
    ties_embeddings: bool = False

    @property
    def can_go_back(self) -> bool:
        """Whether positions that were computed can be computed again, with other tokens or not."""
        return self.state_bytes == 0


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


@runtime_checkable
class StatefulBackend(Backend, Protocol):
    """A backend that also tells what lies inside the model, where a batch asks for it."""

    def forward_with_states(self, batch: Batch, asked: StatesAsked) -> States:
        """As `forward`, with the states asked for. All are valid until the next call."""
        ...


@runtime_checkable
class KeepsBlocks(Backend, Protocol):
    """A backend whose KV blocks can be taken out as bytes, and put back: in another process too."""

    @property
    def block_bytes(self) -> int:
        """Bytes of a block."""
        ...

    @property
    def block_form(self) -> Mapping[str, Any]:
        """What a block's bytes depend on beside the model's files and the tokens; JSON values."""
        ...

    def read_block(self, block: int) -> Bytes:
        """A copy of a block's bytes."""
        ...

    def write_block(self, block: int, data: Bytes, end: int) -> None:
        """Fill a block with the bytes of a full one; `end` is the position after its last one."""
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
    contexts = blocks_of_contexts(context_length, block_size)
    return max(contexts, min(MIN_POSITIONS // block_size, MIN_BYTES // block_bytes))


def blocks_of_contexts(context_length: int, block_size: int) -> int:
    """KV blocks of two full contexts: a pool that nobody states has as many, if memory has."""
    return 2 * -(-context_length // block_size)
