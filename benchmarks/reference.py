"""The reference: transformers' LlamaForCausalLM in float32, holding a GGUF file's own weights.

Every weight is dequantized by the `gguf` package, so what differs from this model is arithmetic
alone: how activations are rounded, and in what order sums are taken.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NAMES = {"token_embd": "embed_tokens", "output_norm": "norm"}


def load_reference(path: Path) -> LlamaForCausalLM:
    """Build the model of a GGUF file of the llama architecture."""
    reader = gguf.GGUFReader(path)
    config = _config(reader)
    state = {}
    for tensor in reader.tensors:
        weight = gguf.dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            weight = _unpermute(weight, config.num_attention_heads)
        if ".attn_k." in tensor.name:
            weight = _unpermute(weight, config.num_key_value_heads)
        state[_name(tensor.name)] = torch.from_numpy(np.array(weight, np.float32))
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    return model


def _config(reader: gguf.GGUFReader) -> LlamaConfig:
    def value(key: str) -> int | float:
        return reader.fields[f"llama.{key}"].contents()

    embedding = next(t for t in reader.tensors if t.name == "token_embd.weight")
    return LlamaConfig(
        vocab_size=int(embedding.shape[1]),
        hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"),
        num_hidden_layers=value("block_count"),
        num_attention_heads=value("attention.head_count"),
        num_key_value_heads=value("attention.head_count_kv"),
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=value("context_length"),
        rope_parameters={"rope_type": "default", "rope_theta": value("rope.freq_base")},
        tie_word_embeddings=all(t.name != "output.weight" for t in reader.tensors),
    )


def _name(name: str) -> str:
    """A tensor's name in transformers, from its name in the file."""
    if name == "output.weight":
        return "lm_head.weight"
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.{parts[3]}"
    return f"model.{NAMES[parts[0]]}.{parts[1]}"


def _unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a head in transformers' order: GGUF interleaves the two halves that RoPE turns."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


@torch.inference_mode()
def logits(model: LlamaForCausalLM, ids: list[int]) -> np.ndarray:
    """`(len(ids), vocab_size)` float32: the logits after each token."""
    return model(torch.tensor([ids])).logits[0].numpy()


@torch.inference_mode()
def greedy(model: LlamaForCausalLM, ids: list[int], count: int) -> list[int]:
    """The `count` most probable tokens, one after the other, end-of-sequence not minded."""
    ids = list(ids)
    for _ in range(count):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-count:]
