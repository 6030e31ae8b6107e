"""Tiny Llama models, made with transformers and written as GGUF files, as llama.cpp lays them out.

`read_reference` goes the other way: transformers' model in float32 with a file's own weights, each
dequantized by the `gguf` package. What differs from it is arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from foretell.formats.types import TensorType
from support.random_tensors import dequantize

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
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


@dataclass(frozen=True)
class Stored:
    """A tensor as it lies in a file: bytes `(rows, bytes of a row)`, or the numbers of a vector."""

    kind: TensorType
    data: np.ndarray


SIZES = {
    "vocab_size": 160,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
"""Of tiny models, by the names that transformers' configs have."""


def make_model(*, seed: int = 0, rope: dict[str, Any] | None = None, **sizes: Any) -> Any:
    """A random model whose logits differ by a few units, so that errors show."""
    config = LlamaConfig(
        **SIZES | {"rms_norm_eps": 1e-5, "tie_word_embeddings": True} | sizes,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0} | (rope or {}),
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.copy_(1 + 0.2 * torch.randn_like(weight))
            else:
                inputs = 1.0 if name.endswith("embed_tokens.weight") else weight.shape[1]
                weight.copy_(torch.randn_like(weight) * 1.5 / inputs**0.5)
    return model


def sizes_of(config: Any) -> dict[str, Any]:
    """What a file of a model like Llama says of its sizes."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": head_dim,
        "attention.value_length": head_dim,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
    }


def metadata_of(config: LlamaConfig) -> dict[str, Any]:
    """What a llama file says of itself."""
    rope, values = config.rope_parameters, sizes_of(config)
    values |= {
        "vocab_size": config.vocab_size,
        "rope.dimension_count": values["attention.key_length"],
        "rope.freq_base": rope["rope_theta"],
    }
    if rope["rope_type"] == "linear":
        values |= {"rope.scaling.type": "linear", "rope.scaling.factor": rope["factor"]}
    return {f"llama.{key}": value for key, value in values.items()}


def tensors_of(model: Any) -> dict[str, np.ndarray]:
    """A model's weights by their names in a file, with rotated pairs side by side."""
    config = model.config
    tensors = {}
    state = model.state_dict()
    for name in _file_names(config):
        weight = state[_name_in_transformers(name)].numpy()
        for part, heads in rotated_heads(config).items():
            if f".{part}." in name:
                weight = pairs_together(weight, heads)
        tensors[name] = weight
    if config.rope_parameters["rope_type"] == "llama3":
        tensors["rope_freqs.weight"] = _frequency_divisors(model)
    return tensors


def write(
    path: Path,
    tensors: dict[str, np.ndarray | Stored],
    metadata: dict[str, Any],
    kind: str = "F32",
    architecture: str = "llama",
) -> Path:
    """Write a GGUF file, matrices in type `kind`, vectors in float32; what is stored, as it is."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in metadata.items():
        _adder(writer, value)(key, value)
    raw_type = gguf.GGMLQuantizationType[kind]
    for name, weight in tensors.items():
        if isinstance(weight, Stored):
            stored_type = gguf.GGMLQuantizationType(weight.kind.ggml_id)
            writer.add_tensor(name, weight.data, raw_dtype=stored_type)
        elif weight.ndim == 1 or name.endswith(".bias") or kind == "F32":
            writer.add_tensor(name, np.ascontiguousarray(weight, np.float32))
        else:
            writer.add_tensor(name, gguf.quantize(weight, raw_type), raw_dtype=raw_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_model(path: Path, model: Any, kind: str = "F32") -> Path:
    """Write a transformers model as a GGUF file."""
    return write(path, tensors_of(model), metadata_of(model.config), kind)


def read_reference(path: Path, like: LlamaConfig | None = None) -> Any:
    """The float32 model with the weights of a file; its config from the metadata, or as given."""
    reader = gguf.GGUFReader(path)
    config = like or _config_of(reader)
    state = {}
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            continue
        kind = TensorType.from_ggml_id(tensor.tensor_type.value)
        assert kind is not None
        weight = dequantize(kind, tensor.data)
        for part, heads in rotated_heads(config).items():
            if f".{part}." in tensor.name:
                weight = _halves_apart(weight, heads)
        state[_name_in_transformers(tensor.name)] = torch.from_numpy(np.array(weight, np.float32))
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    model.load_state_dict(state, strict=True)
    return model


@torch.inference_mode()
def reference_logits(model: Any, ids: list[int]) -> np.ndarray:
    """`(len(ids), vocab_size)` float32: the logits after each token."""
    return model(torch.tensor([ids])).logits[0].numpy()


def _config_of(reader: gguf.GGUFReader) -> LlamaConfig:
    def value(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    names = {tensor.name: tensor for tensor in reader.tensors}
    return LlamaConfig(
        vocab_size=int(names["token_embd.weight"].shape[1]),
        hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"),
        num_hidden_layers=value("block_count"),
        num_attention_heads=value("attention.head_count"),
        num_key_value_heads=value("attention.head_count_kv"),
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=value("context_length"),
        rope_parameters={"rope_type": "default", "rope_theta": value("rope.freq_base")},
        tie_word_embeddings="output.weight" not in names,
    )


def _file_names(config: LlamaConfig) -> list[str]:
    layers = [f"blk.{i}.{part}" for i in range(config.num_hidden_layers) for part in LAYER_NAMES]
    ends = ["token_embd", "output_norm"] + ([] if config.tie_word_embeddings else ["output"])
    return [f"{name}.weight" for name in layers + ends]


def _name_in_transformers(name: str) -> str:
    *where, part, suffix = name.split(".")
    if where:
        return f"model.layers.{where[1]}.{LAYER_NAMES[part]}.{suffix}"
    return f"{NAMES[part]}.{suffix}"


def rotated_heads(config: LlamaConfig) -> dict[str, int]:
    return {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}


def pairs_together(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a head from transformers' order (i, i + half) to llama.cpp's (2i, 2i + 1)."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _halves_apart(weight: np.ndarray, heads: int) -> np.ndarray:
    return weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _frequency_divisors(model: Any) -> np.ndarray:
    """What llama.cpp's `rope_freqs.weight` holds: plain frequencies over the model's own."""
    own = model.model.rotary_emb.inv_freq.numpy()
    theta = model.config.rope_parameters["rope_theta"]
    plain = theta ** (-np.arange(len(own), dtype=np.float64) / len(own))
    return (plain / own).astype(np.float32)


def _adder(writer: gguf.GGUFWriter, value: Any) -> Callable[[str, Any], None]:
    kinds: dict[type, Callable[[str, Any], None]] = {
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
    }
    return kinds[type(value)]
