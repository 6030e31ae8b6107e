"""Keys and values in foretell's blocks, shown to a model as a `Cache` of transformers'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from foretell.backends.transformers.padding import View


class BlockStore:
    """Keys and values of all blocks: for each layer two tensors `(positions, kv_heads, head_dim)`.

    The first block is nobody's and holds zeros, for padding. Layers are made when they are first
    written, and grow with the blocks in use.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size
        self._num_positions = block_size
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def bytes_per_position(self) -> int:
        """What one position takes in all layers; 0 before anything was written."""
        tensors = [one for layer in self._layers.values() for one in layer]
        return sum(one[0].numel() * one.element_size() for one in tensors)

    def reserve(self, num_positions: int) -> None:
        """Make room for this number of positions, or for twice as many as there were."""
        if num_positions <= self._num_positions:
            return
        self._num_positions = max(num_positions, 2 * self._num_positions)
        for index, (keys, values) in self._layers.items():
            self._layers[index] = self._grown(keys), self._grown(values)

    def write(self, layer: int, cells: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store states `(B, kv_heads, q, head_dim)` at the cells `(B, q)`."""
        if layer not in self._layers:
            self._layers[layer] = self._grown(_rows(keys)[:0]), self._grown(_rows(values)[:0])
        for stored, states in zip(self._layers[layer], (keys, values), strict=True):
            stored[cells.flatten()] = _rows(states)

    def read(self, layer: int, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `(B, kv_heads, L, head_dim)` of the cells `(B, L)`."""
        keys, values = self._layers[layer]
        return keys[cells].transpose(1, 2), values[cells].transpose(1, 2)

    def copy(self, sources: Sequence[int], destinations: Sequence[int]) -> None:
        """Copy blocks, all at once."""
        self.reserve((max(*sources, *destinations) + 2) * self._block_size)
        cells = [self._cells(sources), self._cells(destinations)]
        with torch.inference_mode():
            for stored in [one for layer in self._layers.values() for one in layer]:
                source, destination = (one.to(stored.device) for one in cells)
                stored[destination] = stored[source]

    def _cells(self, blocks: Sequence[int]) -> Tensor:
        firsts = (torch.tensor(blocks) + 1) * self._block_size
        return (firsts[:, None] + torch.arange(self._block_size)).flatten()

    def _grown(self, stored: Tensor) -> Tensor:
        """The same with room for all positions; the first block is zeros."""
        grown = stored.new_empty(self._num_positions, *stored.shape[1:])
        grown[: self._block_size] = 0
        grown[: len(stored)] = stored
        return grown


def _rows(states: Tensor) -> Tensor:
    """`(B, kv_heads, q, head_dim)` as `(B * q, kv_heads, head_dim)`."""
    return states.transpose(1, 2).flatten(0, 1)


class BlockCache(Cache):
    """What one pass sees of the blocks, in transformers' terms."""

    def __init__(self, store: BlockStore, view: View, num_layers: int) -> None:
        self.cells = torch.from_numpy(view.cells)
        super().__init__([_BlockLayer(self, store, view, index) for index in range(num_layers)])


class _BlockLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer of a `BlockCache`."""

    is_sliding = False  # all positions are there: the model's own mask narrows the window

    def __init__(self, cache: BlockCache, store: BlockStore, view: View, index: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._cache = cache
        self._store = store
        self._num_seen = view.num_past
        self._num_past = view.num_past
        self._index = index

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Store the new tokens' states; return those of all tokens, padded on the left."""
        if self._cache.cells.device != key_states.device:  # one move, unless layers lie apart
            self._cache.cells = self._cache.cells.to(key_states.device)
        cells = self._cache.cells
        new = cells[:, self._num_past :]
        if key_states.dim() != 4 or key_states.shape[::2] != new.shape:
            raise ValueError(f"keys of shape {tuple(key_states.shape)} for {new.numel()} tokens")
        self._store.write(self._index, new, key_states, value_states)
        self._num_seen = cells.shape[1]
        return self._store.read(self._index, cells)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and first position of the states that `update` returns."""
        return self._cache.cells.shape[1], 0

    def get_seq_length(self) -> int:
        """Positions seen so far, padding included."""
        return self._num_seen

    def get_max_length(self) -> int:
        """-1: there is no limit."""
        return -1

    get_max_cache_shape = get_max_length  # its name in transformers 5.0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is left to be made here."""
