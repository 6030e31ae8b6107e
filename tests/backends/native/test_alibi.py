"""The slopes of ALiBi are those of transformers' models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

from foretell.backends.native.alibi import alibi_slopes

HEADS = pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 12, 16, 25, 32, 71, 112])


@HEADS
def test_blooms(heads):
    bias = build_alibi_tensor(torch.ones(1, 2), heads, torch.float32)[:, 0, 1]
    np.testing.assert_allclose(alibi_slopes(heads, 8.0), bias.numpy(), rtol=1e-6)


@HEADS
@pytest.mark.parametrize("max_bias", [8, 16])
def test_mpts(heads, max_bias):
    bias = -build_mpt_alibi_tensor(heads, 2, max_bias)[:, 0, 0]
    np.testing.assert_allclose(alibi_slopes(heads, max_bias), bias.numpy(), rtol=1e-6)
