"""The reference: transformers' model in float32, holding a GGUF file's own weights.

Every weight is dequantized by the `gguf` package, so what differs from this model is arithmetic
alone: how activations are rounded, and in what order sums are taken. Llama and Gemma 3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
LAYER_NAMES = {
    "llama": PARTS | {"ffn_norm": "post_attention_layernorm"},
    "gemma3": PARTS
    | {
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
    },
}
NAMES = {"token_embd": "embed_tokens", "output_norm": "norm"}


def load_reference(path: Path) -> PreTrainedModel:
    """Build the model of a GGUF file of the llama or gemma3 architecture."""
    reader = gguf.GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    if architecture == "gemma3":
        model: PreTrainedModel = Gemma3ForCausalLM(_gemma_config(reader))
    else:
        model = LlamaForCausalLM(_llama_config(reader))
    config = model.config
    state = {}
    for tensor in reader.tensors:
        weight = np.array(gguf.dequantize(tensor.data, tensor.tensor_type), np.float32)
        if architecture == "gemma3" and tensor.name.endswith("norm.weight"):
            weight = weight - 1  # files keep the sum
        elif architecture == "llama" and ".attn_q." in tensor.name:
            weight = _unpermute(weight, config.num_attention_heads)
        elif architecture == "llama" and ".attn_k." in tensor.name:
            weight = _unpermute(weight, config.num_key_value_heads)
        state[_name(tensor.name, LAYER_NAMES[architecture])] = torch.from_numpy(weight)
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = model.to(torch.float32).eval()
    model.load_state_dict(state, strict=True)
    return model


def first_ids(path: Path) -> list[int]:
    """The ids that the file asks to put before every text: its BOS token, or none."""
    fields = gguf.GGUFReader(path).fields
    adds = fields.get("tokenizer.ggml.add_bos_token")
    if adds is None or not adds.contents():
        return []
    return [fields["tokenizer.ggml.bos_token_id"].contents()]


def _sizes(reader: gguf.GGUFReader, architecture: str) -> dict[str, Any]:
    def value(key: str) -> Any:
        return reader.fields[f"{architecture}.{key}"].contents()

    embedding = next(t for t in reader.tensors if t.name == "token_embd.weight")
    return {
        "vocab_size": int(embedding.shape[1]),
        "hidden_size": value("embedding_length"),
        "intermediate_size": value("feed_forward_length"),
        "num_hidden_layers": value("block_count"),
        "num_attention_heads": value("attention.head_count"),
        "num_key_value_heads": value("attention.head_count_kv"),
        "rms_norm_eps": value("attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": value("context_length"),
        "tie_word_embeddings": all(t.name != "output.weight" for t in reader.tensors),
    }


def _llama_config(reader: gguf.GGUFReader) -> LlamaConfig:
    base = reader.fields["llama.rope.freq_base"].contents()
    rope = {"rope_type": "default", "rope_theta": base}
    return LlamaConfig(**_sizes(reader, "llama"), rope_parameters=rope)


def _gemma_config(reader: gguf.GGUFReader) -> Gemma3TextConfig:
    dim = reader.fields["gemma3.attention.key_length"].contents()
    base = reader.fields["gemma3.rope.freq_base"].contents()
    return Gemma3TextConfig(
        **_sizes(reader, "gemma3"),
        head_dim=dim,
        query_pre_attn_scalar=dim,
        sliding_window=reader.fields["gemma3.attention.sliding_window"].contents(),
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": base},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    )


def _name(name: str, layer_names: dict[str, str]) -> str:
    """A tensor's name in transformers, from its name in the file."""
    if name == "output.weight":
        return "lm_head.weight"
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{layer_names[parts[2]]}.{parts[3]}"
    return f"model.{NAMES[parts[0]]}.{parts[1]}"


def _unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a head in transformers' order: GGUF interleaves the two halves that RoPE turns."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


@torch.inference_mode()
def logits(model: PreTrainedModel, ids: list[int]) -> np.ndarray:
    """`(len(ids), vocab_size)` float32: the logits after each token."""
    return model(torch.tensor([ids])).logits[0].numpy()


@torch.inference_mode()
def greedy(model: PreTrainedModel, ids: list[int], count: int) -> list[int]:
    """The `count` most probable tokens, one after the other, end-of-sequence not minded."""
    ids = list(ids)
    for _ in range(count):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-count:]
