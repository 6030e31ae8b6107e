"""float8 checkpoints: in blocks of 128 × 128, as DeepSeek-V3 (arXiv 2412.19437), rows or tensors.

`weight` in E4M3; `weight_scale_inv`, or `weight_scale`: what a weight is multiplied by. Scales of
activations are of no use here: activations are never float8.
"""

from __future__ import annotations

import numpy as np

from foretell.backends.native.weights.forms.base import Matrix, Tensors
from foretell.backends.native.weights.forms.scaled import ScaledMatrix
from foretell.errors import UnsupportedModelError
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, quote

MAX_BLOCK = 2**20


class Float8:
    """Matrices in E4M3."""

    def __init__(self, tensors: Tensors, config: MetadataReader) -> None:
        self._tensors = tensors
        self._block = _read_block(config, "weight_block_size")
        if config.text("expert_dtype", "fp8") != "fp8":
            raise config.unsupported("experts in other than float8")

    def find(self, module: str) -> Matrix | None:
        """The matrix of this module; None if its weight is not float8."""
        scales = [f"{module}.{part}" for part in ("weight_scale_inv", "weight_scale")]
        return find_scaled(self._tensors, f"{module}.weight", scales, self._block)


def _read_block(config: MetadataReader, key: str) -> tuple[int, int] | None:
    if key not in config:
        return None
    sizes = config.integers(key)
    if len(sizes) != 2 or not all(1 <= size <= MAX_BLOCK for size in sizes):
        raise config.wrong(f"{key} is {quote(sizes)}: must be two sizes, outputs and inputs")
    return sizes[0], sizes[1]


def find_scaled(
    tensors: Tensors, name: str, scales: list[str], block: tuple[int, int] | None
) -> Matrix | None:
    """The matrix of bytes of this name; None if there is none.

    Args:
        tensors: where to look.
        name: the tensor of the weights.
        scales: what that of the scales may be called.
        block: outputs and inputs that share a scale, where there are more than one a row.
    """
    dtype = tensors.checkpoint.tensors[name].dtype if name in tensors else ""
    if dtype == "F8_E5M2":
        raise UnsupportedModelError(
            f"{escape(tensors.checkpoint.path_of(name))}: tensor {quote(name)} is F8_E5M2: float8 "
            "weights must be F8_E4M3"
        )
    if dtype not in ("F8_E4M3", "I8"):
        return None
    scale = next((one for one in scales if one in tensors), scales[0])
    rows, cols = tensors.matrix_shape(name)
    grid, block = _read_grid(tensors, scale, (rows, cols), block)
    codes = tensors.array(name, (dtype,), (rows, cols))
    return ScaledMatrix((name, scale), (rows, cols), codes, grid, block)


def _read_grid(
    tensors: Tensors, name: str, shape: tuple[int, int], block: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[int, int]]:
    """The scales as a grid, and for how many outputs and inputs each is.

    A single number, one a row, or one a block.
    """
    rows, cols = shape
    found = tensors.shape(name)
    if found in ((), (1,)) or (found == (1, 1) and block is None):
        return tensors.floats(name, found).reshape(1, 1), shape
    if found in ((rows,), (rows, 1)):
        return tensors.floats(name, found).reshape(rows, 1), (1, cols)
    if block is None:
        tensors.fail(
            name, f"has scales {found}: must be one, or one for each of {rows} rows, of {cols}"
        )
    grid = (-(-rows // block[0]), -(-cols // block[1]))
    return tensors.floats(name, grid), block
