"""Inputs → rows of token ids without their padding."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretell.errors import RequestError
from foretell.utils.quoting import quote
from foretell.utils.tensors import is_tensor, to_plain


@dataclass(frozen=True)
class Row:
    """One prompt: its token ids, and those of the padding that stood before them."""

    ids: list[int]
    padding: list[int]

    @property
    def whole(self) -> list[int]:
        """As it was given."""
        return [*self.padding, *self.ids]


def read_rows(
    name: str,
    inputs: Any,
    mask: Any,
    *,
    pad_token_id: int | None,
    eos_token_ids: Collection[int],
) -> list[Row]:
    """The rows of `inputs`, `(batch, length)`; the mask marks padding on the left.

    Without a mask the pad token marks it, unless that is an end-of-sequence token too, as in
    transformers. Lists may be of unequal lengths.

    Raises RequestError for another shape, or for padding that is not on the left.
    """
    rows = _integers(name, inputs)
    if mask is None:
        can_tell = pad_token_id is not None and pad_token_id not in eos_token_ids
        masks = [[not (can_tell and token == pad_token_id) for token in row] for row in rows]
        source = f"the pad token {pad_token_id}"
    else:
        source = "input_ids" if name == "inputs" else name
        source = source.replace("_ids", "_attention_mask").replace("input_", "")
        masks = [[value != 0 for value in row] for row in _integers(source, mask)]
        if [len(row) for row in masks] != [len(row) for row in rows]:
            raise RequestError(f"{source} must have the shape of {name}")
    return _aligned(
        [_row(name, index, row, source, masks[index]) for index, row in enumerate(rows)],
        pad_token_id,
    )


def _row(name: str, index: int, ids: list[int], source: str, kept: list[bool]) -> Row:
    if True not in kept:
        raise RequestError(f"row {index} of {name} has no tokens: must have at least one")
    start = kept.index(True)
    if False in kept[start:]:
        raise RequestError(
            f"row {index} of {name} has padding at {start + kept[start:].index(False)}, after its "
            f"first token (told by {source}): must be padded on the left"
        )
    return Row(ids[start:], ids[:start])


def _aligned(rows: list[Row], pad_token_id: int | None) -> list[Row]:
    """Rows of unequal length, padded on the left."""
    length = max(len(row.whole) for row in rows)
    if all(len(row.whole) == length for row in rows):
        return rows
    pad = 0 if pad_token_id is None else pad_token_id
    return [Row(row.ids, [pad] * (length - len(row.whole)) + row.padding) for row in rows]


def _integers(name: str, values: Any) -> list[list[int]]:
    if not (is_tensor(values) or isinstance(values, (np.ndarray, list, tuple))):
        how = f"; give what it holds: **{name}" if hasattr(values, "keys") else ""
        raise RequestError(
            f"{name} is {type(values).__name__}: must be ids (batch, length) or text{how}"
        )
    plain = to_plain(values)
    rows = [to_plain(row) for row in plain] if isinstance(plain, (list, tuple)) else []
    if not rows or not all(isinstance(row, (list, tuple)) for row in rows):
        raise RequestError(f"{name} must have the shape (batch, length), with at least one row")
    for index, row in enumerate(rows):
        wrong = [one for one in row if not isinstance(one, int)]
        if wrong:
            raise RequestError(
                f"row {index} of {name} has {quote(wrong[0])}: must have integers only"
            )
    return [[int(one) for one in row] for row in rows]


def is_text(inputs: Any) -> bool:
    """Whether the inputs are a text, or a list of texts."""
    return isinstance(inputs, str) or (
        isinstance(inputs, (list, tuple))
        and bool(inputs)
        and all(isinstance(one, str) for one in inputs)
    )
