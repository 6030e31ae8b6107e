"""Tensors of every type in the file's own bytes, made of random bits; `gguf` is the oracle."""

from __future__ import annotations

import gguf
import numpy as np

from foretell.formats.types import TensorType

FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)
QUANTIZED = tuple(kind for kind in TensorType if kind not in FLOATS)
QUANTIZABLE = tuple(  # the package can only read the others
    kind for kind in TensorType if not kind.name.endswith("_K") and not kind.name.startswith("IQ")
)

# Where a block has its float16 scale, and its float16 minimum if any.
HALVES = {
    TensorType.Q4_0: (0,),
    TensorType.Q4_1: (0, 2),
    TensorType.Q5_0: (0,),
    TensorType.Q5_1: (0, 2),
    TensorType.Q8_0: (0,),
    TensorType.Q2_K: (80, 82),
    TensorType.Q3_K: (108,),
    TensorType.Q4_K: (0, 2),
    TensorType.Q5_K: (0, 2),
    TensorType.Q6_K: (208,),
    TensorType.IQ4_NL: (0,),
    TensorType.IQ4_XS: (0,),
}
# Where a block with minima has its codes.
CODES = {
    TensorType.Q4_1: slice(4, 20),
    TensorType.Q5_1: slice(4, 24),
    TensorType.Q2_K: slice(16, 80),
    TensorType.Q4_K: slice(16, 144),
    TensorType.Q5_K: slice(16, 176),
}
EXPONENTS = {
    TensorType.F32: (np.uint32, 0x7F800000),
    TensorType.F16: (np.uint16, 0x7C00),
    TensorType.BF16: (np.uint16, 0x7F80),
}


def dequantize(kind: TensorType, data: np.ndarray) -> np.ndarray:
    """The oracle: float32 values of a tensor's bytes, a row a line."""
    return gguf.dequantize(np.ascontiguousarray(data), gguf.GGMLQuantizationType(kind.ggml_id))


def quantize(kind: TensorType, values: np.ndarray) -> np.ndarray:
    """The bytes of float32 values, by the `gguf` package."""
    data = gguf.quantize(values, gguf.GGMLQuantizationType(kind.ggml_id))
    return np.ascontiguousarray(data).view(np.uint8)


def random_bits(kind: TensorType, rows: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Any tensor `(rows, bytes of a row)` that a file may hold: every scale and float finite."""
    data = rng.integers(0, 256, (rows, blocks, kind.block_bytes), dtype=np.uint8)
    if kind in FLOATS:
        word, exponent = EXPONENTS[kind]
        values = data.view(word)
        values[(values & word(exponent)) == exponent] &= ~word(exponent)
    for at in HALVES.get(kind, ()):
        _finite_halves(data[..., at : at + 2])
    return data.reshape(rows, -1)


def _finite_halves(field: np.ndarray) -> None:
    high = field[..., 1]
    high[(high & 0x7C) == 0x7C] &= 0x83  # infinite and NaN to subnormal


def random_weights(
    kind: TensorType, rows: int, blocks: int, rng: np.random.Generator
) -> np.ndarray:
    """A tensor like a model's: random codes, and scales that differ by a small factor."""
    if kind in FLOATS:
        return quantize(kind, rng.standard_normal((rows, blocks * kind.block_size), np.float32))
    data = rng.integers(0, 256, (rows, blocks, kind.block_bytes), dtype=np.uint8)
    for at in HALVES[kind]:
        scales = rng.uniform(0.01, 0.1, (rows, blocks)).astype(np.float16)
        scales *= rng.choice([-1, 1], (rows, blocks)).astype(np.float16)
        data[..., at : at + 2] = scales[..., None].view(np.uint8)
    return data.reshape(rows, -1)


def minima(kind: TensorType, data: np.ndarray) -> np.ndarray:
    """The minimum that each weight of the tensor has in its group; zeros for types without."""
    blocks = data.copy().reshape(len(data), -1, kind.block_bytes)
    if kind not in CODES:
        return np.zeros((len(data), blocks.shape[1] * kind.block_size), np.float32)
    blocks[..., CODES[kind]] = 0
    return dequantize(kind, blocks.reshape(len(data), -1))
