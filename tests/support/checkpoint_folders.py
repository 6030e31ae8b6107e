"""Checkpoint folders made with transformers, and what transformers computes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM

from foretell.backends.base import Batch
from foretell.backends.native.weights.quantize import quantize_rows
from foretell.backends.native.weights.rules import QUANTIZED_TYPES
from foretell.formats.types import TensorType
from support.llama_files import make_model

IDS = list(range(5, 45))


def save_llama(folder: Path, dtype: str = "float32", shards: str = "1GB", **sizes: Any) -> Path:
    """Save a tiny random Llama, in shards of at most this size."""
    model = make_model(**sizes)
    with torch.no_grad():
        for weight in model.parameters():
            weight.data = weight.data.to(getattr(torch, dtype))
    model.config.dtype = dtype
    model.save_pretrained(folder, max_shard_size=shards)
    return folder


@torch.inference_mode()
def reference_logits(
    folder: Path,
    ids: list[int] = IDS,
    change: Callable[[np.ndarray], np.ndarray] = lambda matrix: matrix,
) -> np.ndarray:
    """`(len(ids), vocab_size)`: the logits after each token, weights and products in float32.

    With `change`, those of the model whose matrices were changed so.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for weight in model.parameters():
        if weight.ndim == 2:
            weight.copy_(torch.from_numpy(change(weight.numpy())))
    return model(torch.tensor([ids])).logits[0].numpy()


def logits_of(backend: Any, ids: list[int] = IDS) -> np.ndarray:
    """The same from a backend, in one batch."""
    count = len(ids)
    blocks = range(-(-count // backend.info.block_size))
    batch = Batch(*(np.array(v, np.int32) for v in (ids, range(count), [0, count], [blocks])),
                  np.arange(count, dtype=np.int32))  # fmt: skip
    return backend.forward(batch).copy()


def quantized(weights: np.ndarray, kind: str) -> np.ndarray:
    """What the weights are after quantizing, as the `gguf` package reads it."""
    target = QUANTIZED_TYPES[kind]
    packed = quantize_rows(weights.view(np.uint8).reshape(-1), TensorType.F32, target)
    return gguf.dequantize(
        packed.reshape(len(weights), -1), gguf.GGMLQuantizationType(target.ggml_id)
    )
