"""Tiny random InternLM 2s against transformers' Llama, which computes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.family_contract import FamilyContract, load_folder, save
from support.family_files import make_family
from support.kin_files import INTERNLM2
from support.reference_model import EXACT, assert_like_the_reference

NAMES = {
    "model.embed_tokens": "model.tok_embeddings",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.up_proj": "feed_forward.w3",
    "mlp.down_proj": "feed_forward.w2",
    "lm_head": "output",
}


class TestInternLM2(FamilyContract):
    family = INTERNLM2


def _fuse(q: np.ndarray, k: np.ndarray, v: np.ndarray, kv_heads: int) -> np.ndarray:
    """The queries of a group, their key, their value; then the next group's."""
    groups = [part.reshape(kv_heads, -1, *part.shape[1:]) for part in (q, k, v)]
    return np.concatenate(groups, axis=1).reshape(-1, *q.shape[1:])


def _as_internlm(folder: Path, model: Any) -> Path:
    """The folder of a Llama, by InternLM's names."""
    path = save(folder, model) / "model.safetensors"
    left, found = load_file(path), {}
    projections = [name for name in left if ".self_attn.q_proj." in name]
    for name in projections:
        q, k, v = (left.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv")
        fused = _fuse(q, k, v, model.config.num_key_value_heads)
        found[name.replace("self_attn.q_proj", "attention.wqkv")] = fused
    for name, values in left.items():
        known = [(old, new) for old, new in NAMES.items() if old in name]
        found[name.replace(*known[0]) if known else name] = values
    save_file(found, path, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "internlm2", "bias": config.pop("attention_bias")}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("has_biases", [False, True])
def test_queries_keys_and_values_in_one_weight(has_biases, tmp_path):
    model = make_family(INTERNLM2, attention_bias=has_biases)
    backend = load_folder(_as_internlm(tmp_path, model), **EXACT)
    assert_like_the_reference(backend, model)
    assert backend.unread == ()
