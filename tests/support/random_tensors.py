"""Tensors of every type in the file's own bytes, made of random bits; `gguf` is the oracle."""

from __future__ import annotations

import gguf
import numpy as np
import torch

from foretell.formats.types import VECTOR_TYPES, BlockType, FolderType, TensorType

MATRICES = tuple(kind for kind in TensorType if kind not in VECTOR_TYPES)
FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)
QUANTIZED = tuple(kind for kind in MATRICES if kind not in FLOATS)
NOT_READ = (TensorType.Q1_0, TensorType.Q2_0)  # by the package: `_of_few_bits` is the oracle
NOT_QUANTIZABLE = (  # the package can only read them
    *(kind for kind in MATRICES if kind.name.endswith("_K") or kind.name.startswith("IQ")),
    TensorType.NVFP4,
    *NOT_READ,
)
OWN_QUANTIZED = (FolderType.S4_128, FolderType.Z4_128, FolderType.Z4_32, FolderType.Z8_32)
OWN = (*OWN_QUANTIZED, FolderType.E4M3_128)  # no file of GGUF's has them: `_of_own` is the oracle
QUANTIZABLE = tuple(kind for kind in MATRICES if kind not in NOT_QUANTIZABLE)

# Where a block has its float16 scale, and its float16 minimum if any. IQ1_M's is in the highest
# four bits of each of four words.
HALVES: dict[BlockType, tuple[int, ...]] = {
    **dict.fromkeys(OWN_QUANTIZED, (0,)),
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
    TensorType.IQ2_XXS: (0,),
    TensorType.IQ2_XS: (0,),
    TensorType.IQ2_S: (0,),
    TensorType.IQ3_XXS: (0,),
    TensorType.IQ3_S: (0,),
    TensorType.IQ1_S: (0,),
    TensorType.IQ1_M: (48,),
    TensorType.IQ4_NL: (0,),
    TensorType.IQ4_XS: (0,),
    TensorType.TQ1_0: (52,),
    TensorType.TQ2_0: (64,),
    TensorType.Q1_0: (0,),
    TensorType.Q2_0: (0,),
}
# Where a block has scales of a byte, and from which to which they make weights like a model's.
BYTE_SCALES = {
    TensorType.MXFP4: (slice(0, 1), 118, 122),  # 2^(byte - 128)
    TensorType.NVFP4: (slice(0, 4), 8, 32),  # UE4M3
}
E8M0_INFINITE = 253  # from this scale on the largest 4-bit float overflows
# Where a block with minima has its codes.
CODES: dict[BlockType, slice] = {
    FolderType.Z4_128: slice(3, 67),
    FolderType.Z4_32: slice(3, 19),
    FolderType.Z8_32: slice(3, 35),
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


def dequantize(kind: BlockType, data: np.ndarray) -> np.ndarray:
    """The oracle: float32 values of a tensor's bytes, a row a line."""
    if kind in NOT_READ:
        return _of_few_bits(kind, data)
    if isinstance(kind, FolderType):
        return _of_own(kind, data)
    return gguf.dequantize(np.ascontiguousarray(data), gguf.GGMLQuantizationType(kind.ggml_id))


def _of_few_bits(kind: TensorType, data: np.ndarray) -> np.ndarray:
    """ggml's Q1_0, bits that choose between -1 and 1, and Q2_0, codes of two bits, less 1."""
    blocks = data.reshape(len(data), -1, kind.block_bytes)
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    bits = np.unpackbits(blocks[..., 2:], axis=-1, bitorder="little").astype(np.float32)
    values = bits * 2 - 1 if kind is TensorType.Q1_0 else bits[..., ::2] + 2 * bits[..., 1::2] - 1
    return (scales * values).reshape(len(data), -1)


def _of_own(kind: FolderType, data: np.ndarray) -> np.ndarray:
    """scale · (code - zero), zero a byte or 8; or a float8, as torch reads it, times its scale."""
    blocks = data.reshape(len(data), -1, kind.block_bytes)
    if kind is FolderType.E4M3_128:
        scales = np.ascontiguousarray(blocks[..., :4]).view(np.float32)
        codes = torch.from_numpy(np.ascontiguousarray(blocks[..., 4:])).view(torch.float8_e4m3fn)
        return (codes.float().numpy() * scales).reshape(len(data), -1)
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float64)
    if kind is FolderType.S4_128:
        values = scales * (_nibbles(blocks[..., 2:]) - 8.0)
        return values.astype(np.float32).reshape(len(data), -1)
    codes = blocks[..., 3:] if kind is FolderType.Z8_32 else _nibbles(blocks[..., 3:])
    values = scales * codes - scales * blocks[..., 2:3]
    return values.astype(np.float32).reshape(len(data), -1)


def _nibbles(data: np.ndarray) -> np.ndarray:
    """Of each 32 codes the first half low in 16 bytes, the second high."""
    sixteens = data.reshape(*data.shape[:-1], -1, 16)
    return np.concatenate([sixteens & 15, sixteens >> 4], -1).reshape(*data.shape[:-1], -1)


def quantize(kind: BlockType, values: np.ndarray) -> np.ndarray:
    """The bytes of float32 values, by the `gguf` package."""
    data = gguf.quantize(values, gguf.GGMLQuantizationType(kind.ggml_id))
    return np.ascontiguousarray(data).view(np.uint8)


def random_bits(kind: BlockType, rows: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Any tensor `(rows, bytes of a row)` that a file may hold: every scale and float finite."""
    data = rng.integers(0, 256, (rows, blocks, kind.block_bytes), dtype=np.uint8)
    if kind in FLOATS:
        word, exponent = EXPONENTS[kind]
        values = data.view(word)
        values[(values & word(exponent)) == exponent] &= ~word(exponent)
    for at in HALVES.get(kind, ()):
        halves = get_halves(kind, data, at)
        halves[(halves & 0x7C00) == 0x7C00] &= 0x83FF  # infinite and NaN to subnormal
        put_halves(kind, data, at, halves)
    if kind is TensorType.MXFP4:
        data[..., 0] %= E8M0_INFINITE
    if kind is FolderType.E4M3_128:
        put_float8(data, rng)
    return data.reshape(rows, -1)


def put_float8(blocks: np.ndarray, rng: np.random.Generator) -> None:
    """Give blocks of E4M3 codes scales from 2^-60 to 2^60, and no NaN."""
    shape = blocks.shape[:-1]
    scales = np.ldexp(rng.standard_normal(shape), rng.integers(-60, 60, shape))
    blocks[..., :4] = scales.astype(np.float32)[..., None].view(np.uint8)
    codes = blocks[..., 4:]
    codes[codes & 127 == 127] = 0x7E


def get_halves(kind: BlockType, blocks: np.ndarray, at: int) -> np.ndarray:
    """The bits of a float16 that each block `(..., bytes)` has at byte `at`."""
    if kind is not TensorType.IQ1_M:
        return np.ascontiguousarray(blocks[..., at : at + 2]).view(np.uint16)[..., 0]
    parts = [blocks[..., at + 2 * i + 1].astype(np.uint16) >> 4 << 4 * i for i in range(4)]
    return parts[0] | parts[1] | parts[2] | parts[3]


def put_halves(kind: BlockType, blocks: np.ndarray, at: int, halves: np.ndarray) -> None:
    """Give each block `(..., bytes)` a float16 of these bits at byte `at`."""
    if kind is not TensorType.IQ1_M:
        blocks[..., at] = halves & 255
        blocks[..., at + 1] = halves >> 8
        return
    for i in range(4):
        high = blocks[..., at + 2 * i + 1]
        high[...] = (high & 15) | (halves >> 4 * i & 15) << 4


def random_weights(kind: BlockType, rows: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """A tensor like a model's: random codes, and scales that differ by a small factor."""
    if kind in FLOATS:
        return quantize(kind, rng.standard_normal((rows, blocks * kind.block_size), np.float32))
    data = rng.integers(0, 256, (rows, blocks, kind.block_bytes), dtype=np.uint8)
    for at in HALVES.get(kind, ()):
        scales = rng.uniform(0.01, 0.1, (rows, blocks)).astype(np.float16)
        scales *= rng.choice([-1, 1], (rows, blocks)).astype(np.float16)
        put_halves(kind, data, at, scales.view(np.uint16))
    if kind is FolderType.E4M3_128:
        put_float8(data, rng)
        data[..., :4] = np.array([0.01], np.float32).view(np.uint8)
    if kind in BYTE_SCALES:
        where, low, high = BYTE_SCALES[kind]
        data[..., where] = rng.integers(low, high, data[..., where].shape)
    return data.reshape(rows, -1)


def random_matrix(
    kind: BlockType, rows: int, cols: int, size: float, rng: np.random.Generator
) -> np.ndarray:
    """The same with weights of standard deviation `size`, about."""
    blocks = cols // kind.block_size
    data = random_weights(kind, rows, blocks, rng).reshape(rows, blocks, -1)
    factor = size / dequantize(kind, data.reshape(rows, -1)).std()
    for at in HALVES.get(kind, ()):
        scales = get_halves(kind, data, at).view(np.float16) * np.float16(factor)
        put_halves(kind, data, at, scales.view(np.uint16))
    if kind in BYTE_SCALES:
        doubling = {TensorType.MXFP4: 1, TensorType.NVFP4: 8}[kind]
        data[..., BYTE_SCALES[kind][0]] += np.uint8(np.rint(np.log2(factor) * doubling) % 256)
    return data.reshape(rows, -1)


def minima(kind: BlockType, data: np.ndarray) -> np.ndarray:
    """The minimum that each weight of the tensor has in its group; zeros for types without."""
    blocks = data.copy().reshape(len(data), -1, kind.block_bytes)
    if kind not in CODES:
        return np.zeros((len(data), blocks.shape[1] * kind.block_size), np.float32)
    blocks[..., CODES[kind]] = 0
    return dequantize(kind, blocks.reshape(len(data), -1))
