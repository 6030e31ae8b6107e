"""Row 4 of the design, weights: float matrices to integer codes, as a model is loaded.

A group of 32 neighbours in a row shares a float16 scale. The bytes are those of GGUF's blocks:

- Q8_0: `x ≈ scale · code`, codes from -127 to 127; scale is the group's largest magnitude / 127.
- Q4_1: `x ≈ minimum + scale · code`, codes from 0 to 15. Of several candidate ranges, each refined
  by least squares, the one with the smallest squared error is taken.

Codes are rounded to nearest even with the scale (and minimum) already rounded to float16, so that
what is stored is as near to the weights as its format allows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.weights.types import TensorType

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

FLOAT_TYPES = (TensorType.F32, TensorType.F16, TensorType.BF16)
GROUP = 32
GROUPS_AT_ONCE = 2048  # 256 KiB of float32: the work stays in the processor's cache
LARGEST = np.float32(np.finfo(np.float16).max)
SHRINKS = (1.0, 0.93, 0.86)
"""Ranges to try for Q4_1, as shares of the one from the least to the greatest value."""
REFINEMENTS = 2


def to_float32(data: Bytes, kind: TensorType) -> Floats:
    """The bytes of float values as float32, each exactly."""
    if kind is TensorType.BF16:
        bits = data.view(np.uint16).astype(np.uint32) << np.uint32(16)
        return np.asarray(bits.view(np.float32))
    dtype = np.float16 if kind is TensorType.F16 else np.float32
    return data.view(dtype).astype(np.float32)


def quantize_rows(data: Bytes, kind: TensorType, target: TensorType) -> Bytes:
    """Quantize a matrix whose rows are multiples of 32 wide; bytes in, bytes out.

    Works through it in small parts, so that it takes little more memory than the result.

    Args:
        data: the matrix, row by row, in float type `kind`.
        kind: F32, F16 or BF16.
        target: Q8_0 or Q4_1.

    Raises:
        ValueError: a weight is NaN or infinite, or too large for a float16 scale.
    """
    pack = _pack_q8 if target is TensorType.Q8_0 else _pack_q4
    num_groups = data.size // (GROUP * kind.block_bytes)
    packed = np.empty((num_groups, target.block_bytes), np.uint8)
    for part in _parts(num_groups):
        values = to_float32(data.reshape(num_groups, -1)[part].reshape(-1), kind)
        if not np.isfinite(values).all():
            raise ValueError("holds NaN or infinite weights")
        pack(np.ascontiguousarray(values.reshape(-1, GROUP).T), packed[part])
    return packed.reshape(-1)


def _parts(count: int) -> Iterator[slice]:
    for begin in range(0, count, GROUPS_AT_ONCE):
        yield slice(begin, begin + GROUPS_AT_ONCE)


def _pack_q8(x: Floats, out: Bytes) -> None:
    """Groups `(32, n)` to blocks `(n, 34)`: scale, codes."""
    scale = _half(np.maximum(x.max(axis=0), -x.min(axis=0)) / np.float32(127))
    codes = np.rint(x * _inverse(scale))
    out[:, :2] = _half_bytes(scale)
    out[:, 2:] = np.clip(codes, -127, 127).astype(np.int8).view(np.uint8).T


def _pack_q4(x: Floats, out: Bytes) -> None:
    """Groups `(32, n)` to blocks `(n, 20)`: scale, minimum, codes of 0..15 and of 16..31."""
    low, high = x.min(axis=0), x.max(axis=0)
    best = _Fit(x, (high - low) / np.float32(15), low)
    for shrink in SHRINKS:
        cut = (high - low) * np.float32((1 - shrink) / 2)
        fit = _Fit(x, (high - low - 2 * cut) / np.float32(15), low + cut)
        for _ in range(REFINEMENTS):
            fit = _Fit(x, *_least_squares(x, fit.codes))
            best.take_better(fit)
    codes = _Fit(x, best.scale, best.minimum).codes.astype(np.uint8)
    out[:, :2] = _half_bytes(best.scale)
    out[:, 2:4] = _half_bytes(best.minimum)
    out[:, 4:] = (codes[: GROUP // 2] | codes[GROUP // 2 :] << 4).T


class _Fit:
    """Q4_1 codes `(32, n)` of groups for given scales and minima `(n,)`, and squared errors."""

    def __init__(self, x: Floats, scale: Floats, minimum: Floats) -> None:
        self.scale, self.minimum = _half(scale), _half(minimum)
        offsets = x - self.minimum
        codes = offsets * _inverse(self.scale)
        np.rint(codes, out=codes)
        self.codes = np.clip(codes, 0, 15, out=codes)
        offsets -= self.scale * self.codes
        self.error = np.square(offsets, out=offsets).sum(axis=0)

    def take_better(self, other: _Fit) -> None:
        """Take over scale and minimum of the groups that the other fits more closely."""
        better = other.error < self.error
        for name in ("scale", "minimum", "error"):
            np.copyto(getattr(self, name), getattr(other, name), where=better)


def _least_squares(x: Floats, codes: Floats) -> tuple[Floats, Floats]:
    """Scale and minimum that fit the codes best: the regression line of values on codes."""
    mean_x, mean_code = x.mean(axis=0), codes.mean(axis=0)
    variance = np.square(codes).mean(axis=0) - mean_code**2
    covariance = (codes * x).mean(axis=0) - mean_code * mean_x
    slope: Floats = np.divide(
        covariance, variance, out=np.zeros_like(mean_x), where=variance > 1e-6
    )
    return slope, mean_x - slope * mean_code


def _half(values: Floats) -> Floats:
    """Rounded to float16, as float32."""
    if (np.abs(values) > LARGEST).any():
        raise ValueError("holds weights too large to be quantized")
    return values.astype(np.float16).astype(np.float32)


def _half_bytes(values: Floats) -> Bytes:
    return values.astype(np.float16).view(np.uint8).reshape(-1, 2)


def _inverse(scale: Floats) -> Floats:
    """1 / scale, and 0 for a scale of 0: such a group's codes are all 0."""
    inverse: Floats = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    return inverse
