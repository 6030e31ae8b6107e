"""What llm-compressor saves: compressed-tensors, in its float8, int8 and 4-bit packed forms.

- `weight` in E4M3 or int8, with `weight_scale` for the tensor, each row or each block;
- `weight_packed` (outputs, inputs · bits / 32): codes along the inputs, with `weight_scale`
  (outputs, groups), `weight_zero_point` (outputs · bits / 32, groups) unless it is symmetric,
  `weight_shape`, and `weight_g_idx` where groups were ordered by activation.

How activations were to be quantized is passed over: they are foretell's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import WordOrder
from foretell.backends.native.weights.forms.base import Matrix, Tensors
from foretell.backends.native.weights.forms.fp8 import find_scaled
from foretell.backends.native.weights.forms.gptq import INTEGERS
from foretell.backends.native.weights.forms.grouped import GroupedMatrix, codes_of_lines
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import quote

FORMATS = ("float-quantized", "int-quantized", "naive-quantized", "pack-quantized", "dense")
PACKED_BITS = (4, 8)


class CompressedTensors:
    """Matrices as compressed-tensors keeps them."""

    def __init__(self, tensors: Tensors, config: MetadataReader) -> None:
        self._tensors = tensors
        for key in ("sparsity_config", "transform_config"):
            part = config.part(key)
            if part is not None and part.values and part.values.get("format") != "dense":
                raise config.unsupported(f"compressed-tensors with a {key}")
        groups = config.part("config_groups")
        schemes: list[Any] = list(groups.values.values()) if groups is not None else []
        formats = [config.values.get("format")]
        formats += [one.get("format") for one in schemes if isinstance(one, Mapping)]
        for name in formats:
            if name is not None and name not in FORMATS:
                raise config.unsupported(f"compressed-tensors in the format {quote(name)}")
        weights = _weights_of(schemes)
        self._block = _block_of(config, weights)
        stated = [one.get("num_bits") for one in weights]
        self._bits = [bits for bits in PACKED_BITS if bits in stated] or PACKED_BITS
        self._has_zeros = _all_say(weights, "symmetric", False)
        self._is_ordered = _all_say(weights, "actorder", "group")

    def find(self, module: str) -> Matrix | None:
        """The matrix of this module; None if it is not compressed."""
        if f"{module}.weight_packed" in self._tensors:
            return self._find_packed(module)
        name, scale, zeros = (f"{module}.weight{end}" for end in ("", "_scale", "_zero_point"))
        has_both = name in self._tensors and scale in self._tensors
        if has_both and (self._has_zeros or zeros in self._tensors):
            self._check_symmetric(zeros)
        return find_scaled(self._tensors, name, [scale], self._block)

    def _check_symmetric(self, name: str) -> None:
        self._tensors.shape(name)  # says where it is missing
        if self._tensors.checkpoint.data(name).any():
            self._tensors.fail(name, "is not zero: must be symmetric, where codes are not packed")

    def _find_packed(self, module: str) -> Matrix:
        names = [f"{module}.{part}" for part in ("weight_packed", "weight_scale")]
        tensors = self._tensors
        rows, width = tensors.matrix_shape(names[0])
        cols = self._num_inputs(module, rows)
        bits = width * 32 / cols
        if bits not in self._bits:
            allowed = " or ".join(map(str, self._bits))
            tensors.fail(
                names[0], f"has {width} words for {cols} inputs: must be of {allowed} bits each"
            )
        groups = tensors.matrix_shape(names[1])[1]
        if cols % groups:
            tensors.fail(names[1], f"has {groups} groups: must divide {cols} inputs evenly")
        optional = [f"{module}.{part}" for part in ("weight_zero_point", "weight_g_idx")]
        needed = (self._has_zeros, self._is_ordered and groups > 1)
        for name in (name for name, is_needed in zip(optional, needed, strict=True) if is_needed):
            tensors.shape(name)  # says where it is missing
        names += [name for name in (*optional, f"{module}.weight_shape") if name in tensors]
        return GroupedMatrix(
            names=tuple(names),
            shape=(rows, cols),
            words=tensors.array(names[0], INTEGERS, (rows, width)),
            layout=WordOrder.inputs_along,
            bits=int(bits),
            groups=groups,
            scales=lambda: tensors.floats(names[1], (rows, groups)),
            zeros=lambda: self._zeros(optional[0], int(bits), rows, groups),
            group_of=self._group_of(optional[1], cols, groups),
        )

    def _num_inputs(self, module: str, rows: int) -> int:
        name = f"{module}.weight_shape"
        shape = self._tensors.array(name, ("I64",), (2,)).tolist()
        if shape[0] != rows or not 1 <= shape[1] <= 2**32:
            self._tensors.fail(name, f"says {quote(shape)}: must be {rows} outputs, and inputs")
        return int(shape[1])

    def _zeros(self, name: str, bits: int, rows: int, groups: int) -> NDArray[np.uint8]:
        """Kept as codes are: half of their range added, and packed along the outputs."""
        if name not in self._tensors:
            return np.full((rows, groups), 1 << bits - 1, np.uint8)
        words = self._tensors.array(name, INTEGERS, (-(-rows * bits // 32), groups))
        lines = np.ascontiguousarray(words.T)
        return np.ascontiguousarray(codes_of_lines(lines, bits)[:, :rows].T)

    def _group_of(self, name: str, cols: int, groups: int) -> NDArray[np.int32] | None:
        if name not in self._tensors:
            return None
        found = self._tensors.array(name, INTEGERS, (cols,)).view(np.int32)
        if (found == -1).all():
            return None
        if found.min() < 0 or found.max() >= groups:
            self._tensors.fail(name, f"names groups that are not among {groups}")
        usual = np.arange(cols) // (cols // groups)
        return None if np.array_equal(found, usual) else found


def _weights_of(schemes: list[Any]) -> list[Mapping[str, Any]]:
    """What each scheme says of weights."""
    stated = [one.get("weights") for one in schemes if isinstance(one, Mapping)]
    return [one for one in stated if isinstance(one, Mapping)]


def _all_say(weights: list[Mapping[str, Any]], key: str, value: object) -> bool:
    """Whether all schemes say this of weights: which of several a module has is not looked up."""
    return bool(weights) and all(one.get(key) == value for one in weights)


def _block_of(config: MetadataReader, weights: list[Mapping[str, Any]]) -> tuple[int, int] | None:
    """The blocks of float8 weights, if a scheme has any; all must have the same."""
    found = set()
    for one in weights:
        block = one.get("block_structure")
        if block is None:
            continue
        is_pair = isinstance(block, list) and len(block) == 2
        if not is_pair or not all(type(size) is int and 1 <= size <= 2**20 for size in block):
            raise config.wrong(f"block_structure is {quote(block)}: must be two sizes")
        found.add((block[0], block[1]))
    if len(found) > 1:
        raise config.unsupported("compressed-tensors with blocks of several sizes")
    return found.pop() if found else None
