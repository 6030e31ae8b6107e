"""Quantizing at load in numpy, slowly and plainly: what the C++ is held to, bit by bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.formats.types import TensorType

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

GROUP = 32
CUTS = (0.0, 0.035, 0.07)  # shares of the range, left out at each end
REFINEMENTS = 2


def quantize_reference(weights: Floats, target: TensorType) -> Bytes:
    """The blocks of a float32 matrix whose rows are multiples of 32 wide."""
    groups = np.ascontiguousarray(weights.reshape(-1, GROUP).T)
    packed = np.empty((groups.shape[1], target.block_bytes), np.uint8)
    (_pack_q8 if target is TensorType.Q8_0 else _pack_q4)(groups, packed)
    return packed.reshape(-1)


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
    for share in CUTS:
        cut = (high - low) * np.float32(share)
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
    return values.astype(np.float16).astype(np.float32)


def _half_bytes(values: Floats) -> Bytes:
    return values.astype(np.float16).view(np.uint8).reshape(-1, 2)


def _inverse(scale: Floats) -> Floats:
    """1 / scale, and 0 for a scale of 0: such a group's codes are all 0."""
    inverse: Floats = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    return inverse
