"""A public fake: a backend that recites a script.

It has no weights, but keeps the protocol to the letter and checks that its caller does. What a
sequence is, it reads back out of the KV blocks, through the batch's block tables: a wrong table, or
a block that two sequences write, shows as an error or as other logits.

    backend = ScriptedBackend(recite([5, 6, 7, 8], vocab_size=10), vocab_size=10)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.backends.base import BackendInfo, Batch, IntArray, States, StatesAsked
from foretell.utils.arrays import Logits

Script = Callable[[tuple[int, ...]], NDArray[np.float32]]

EarlyScript = Callable[[tuple[int, ...], int], NDArray[np.float32]]
"""From a history and a layer to the logits of what that layer begins with."""

CERTAIN = 20.0  # the logit of a recited token; the others have 0


def recite(*lines: Sequence[int], vocab_size: int) -> Script:
    """A script that goes on with the line of which the history is the beginning.

    The first such line counts. A history that begins no line, or is all of it, raises ValueError.
    """

    def script(history: tuple[int, ...]) -> NDArray[np.float32]:
        length = len(history)
        for line in lines:
            if len(line) > length and tuple(line[:length]) == history:
                row = np.zeros(vocab_size, dtype=np.float32)
                row[line[length]] = CERTAIN
                return row
        raise ValueError(f"history {list(history)} begins no line of the script")

    return script


def improvise(vocab_size: int, *, seed: int = 0, spread: float = 3.0) -> Script:
    """A script of normally distributed logits that depend on the whole history and the seed."""

    def script(history: tuple[int, ...]) -> NDArray[np.float32]:
        content = np.array([seed, *history], dtype=np.int64).tobytes()
        digest = hashlib.blake2b(content, digest_size=8).digest()
        generator = np.random.default_rng(int.from_bytes(digest, "little"))
        return (generator.standard_normal(vocab_size) * spread).astype(np.float32)

    return script


@dataclass(frozen=True)
class Inside:
    """Scripts of what lies inside a model of `num_layers`: its last hidden states, early layers."""

    hidden: Script
    early: EarlyScript
    num_layers: int


class ScriptedBackend:
    """Answers each row that is asked for with `script(history)`, `(vocab_size,)` float32.

    A batch or copy that breaks the protocol raises ValueError and changes nothing. It tells what
    lies `inside`, if that is scripted too.

    Attributes:
        batches: every batch run so far, for tests to look at.
    """

    def __init__(  # noqa: PLR0913 - sizes, by name
        self,
        script: Script,
        *,
        vocab_size: int,
        context_length: int = 256,
        block_size: int = 4,
        num_blocks: int = 128,
        max_batch_tokens: int = 64,
        attention_span: int = 0,
        prompt_tokens_beside: int = 8,
        inside: Inside | None = None,
    ) -> None:
        self._script = script
        self._inside = inside
        self._info = BackendInfo(
            name="scripted",
            description=f"a script over {vocab_size} tokens",
            vocab_size=vocab_size,
            context_length=context_length,
            block_size=block_size,
            num_blocks=num_blocks,
            max_batch_tokens=max_batch_tokens,
            attention_span=attention_span,
            prompt_tokens_beside=prompt_tokens_beside,
            is_exact=True,
            num_layers=0 if inside is None else inside.num_layers,
        )
        self._tokens = np.full((num_blocks, block_size), -1, dtype=np.int32)
        self._positions = np.full((num_blocks, block_size), -1, dtype=np.int32)
        self.batches: list[Batch] = []

    @property
    def info(self) -> BackendInfo:
        """What this backend is; constant over its life."""
        return self._info

    def forward(self, batch: Batch) -> Logits:
        """Write the batch's tokens into its blocks; return `(R, vocab_size)` float32."""
        _check_batch(batch, self._info)
        self._check_past(batch)
        self.batches.append(batch)
        blocks, slots = _cells(batch, self._info.block_size)
        self._tokens[blocks, slots] = batch.tokens
        self._positions[blocks, slots] = batch.positions
        rows = np.empty((len(batch.logits_indices), self._info.vocab_size), dtype=np.float32)
        for row, index in zip(rows, batch.logits_indices.tolist(), strict=True):
            row[:] = self._script(self._history(batch, index))
        return rows

    def forward_with_states(self, batch: Batch, asked: StatesAsked) -> States:
        """The same, and what the scripts of hidden states and early layers say."""
        inside = self._inside
        if inside is None:
            raise ValueError("broken batch: nothing inside is scripted")
        (rows, layers), hidden = asked.early.T, asked.hidden_indices
        _require(bool(np.all(_within(hidden, len(batch.tokens)))), "a wanted state does not exist")
        _require(bool(np.all(np.diff(hidden) > 0)), "wanted states are not ascending")
        _require(bool(np.all(_within(rows, len(batch.logits_indices)))), "an early row of no row")
        _require(bool(np.all(_within(layers, inside.num_layers))), "a layer does not exist")
        logits = self.forward(batch)
        tokens = batch.logits_indices[rows].tolist()
        return States(
            logits,
            _table([inside.hidden(self._history(batch, index)) for index in hidden.tolist()]),
            _table(
                [
                    inside.early(self._history(batch, index), layer)
                    for index, layer in zip(tokens, layers.tolist(), strict=True)
                ]
            ),
        )

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy each (source, destination) KV block, in order."""
        for pair in pairs:
            for block in pair:
                _require(0 <= block < self._info.num_blocks, f"block {block} does not exist")
        for source, destination in pairs:
            self._tokens[destination] = self._tokens[source]
            self._positions[destination] = self._positions[source]

    def _check_past(self, batch: Batch) -> None:
        """What lies before a sequence's tokens must have been written, at its position."""
        size = self._info.block_size
        for start, table in zip(batch.starts[:-1], batch.block_tables, strict=True):
            past = np.arange(batch.positions[start])
            found = self._positions[table[past // size], past % size]
            wrong = np.flatnonzero(found != past)
            if len(wrong):
                block = table[wrong[0] // size]
                raise ValueError(f"block {block} does not hold position {wrong[0]} of its sequence")

    def _history(self, batch: Batch, index: int) -> tuple[int, ...]:
        sequence = int(np.searchsorted(batch.starts, index, side="right")) - 1
        past = np.arange(batch.positions[index] + 1)
        blocks = batch.block_tables[sequence, past // self._info.block_size]
        return tuple(self._tokens[blocks, past % self._info.block_size].tolist())


def _table(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)


def _cells(batch: Batch, block_size: int) -> tuple[IntArray, IntArray]:
    """Block and slot of each token of the batch, both `(N,)`."""
    sequences = np.repeat(np.arange(len(batch.starts) - 1), np.diff(batch.starts))
    blocks = batch.block_tables[sequences, batch.positions // block_size]
    return blocks, batch.positions % block_size


def _require(held: bool, message: str) -> None:
    if not held:
        raise ValueError(f"broken batch: {message}")


def _check_batch(batch: Batch, info: BackendInfo) -> None:
    _check_arrays(batch)
    _check_ranges(batch, info)
    _check_logits_indices(batch)
    _check_tables(batch, info)


def _check_arrays(batch: Batch) -> None:
    dimensions = {"tokens": 1, "positions": 1, "starts": 1, "block_tables": 2, "logits_indices": 1}
    for name, number in dimensions.items():
        array = getattr(batch, name)
        _require(array.dtype == np.int32, f"{name} is {array.dtype}, must be int32")
        _require(array.ndim == number, f"{name} has {array.ndim} dimensions, must have {number}")
    _require(len(batch.tokens) == len(batch.positions), "tokens and positions differ in length")
    _require(len(batch.starts) == len(batch.block_tables) + 1, "one block table a sequence")


def _check_ranges(batch: Batch, info: BackendInfo) -> None:
    number = len(batch.tokens)
    _require(0 < number <= info.max_batch_tokens, f"{number} tokens in one batch")
    _require(
        bool(np.all(_within(batch.tokens, info.vocab_size))), "a token is not in the vocabulary"
    )
    _require(
        bool(np.all(_within(batch.positions, info.context_length))), "a position is past the end"
    )
    starts = batch.starts
    _require(starts[0] == 0 and starts[-1] == number, f"starts must go from 0 to {number}")
    _require(bool(np.all(np.diff(starts) > 0)), "a sequence without tokens")
    inside = np.setdiff1d(np.arange(1, number), starts)
    steps = batch.positions[inside] - batch.positions[inside - 1]
    _require(bool(np.all(steps == 1)), "positions of one sequence are not consecutive")


def _check_logits_indices(batch: Batch) -> None:
    _require(
        bool(np.all(_within(batch.logits_indices, len(batch.tokens)))),
        "a wanted row does not exist",
    )
    _require(bool(np.all(np.diff(batch.logits_indices) > 0)), "wanted rows are not ascending")


def _check_tables(batch: Batch, info: BackendInfo) -> None:
    """A block that one sequence writes is in no other's table."""
    size = info.block_size
    readers: dict[int, set[int]] = {}
    writers: dict[int, int] = {}
    for sequence, table in enumerate(batch.block_tables):
        first, last = batch.positions[batch.starts[sequence : sequence + 2] - [0, 1]]
        _require(last // size < len(table), f"block table {sequence} is too short")
        used = table[: last // size + 1].tolist()
        _require(len(set(used)) == len(used), f"block table {sequence} names a block twice")
        for index, block in enumerate(used):
            _require(0 <= block < info.num_blocks, f"block {block} does not exist")
            readers.setdefault(block, set()).add(sequence)
            if index >= first // size:
                writers[block] = sequence
    for block in writers:
        _require(len(readers[block]) == 1, f"block {block} is written and has another holder")


def _within(values: IntArray, stop: int) -> NDArray[np.bool_]:
    return (values >= 0) & (values < stop)
