"""Tiny models of other families, made with transformers; as folders, and as GGUF files.

What a GGUF file calls a weight is asked of the `gguf` package.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gguf
import numpy as np
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from foretell.formats.gguf import GGUFFile
from foretell.formats.types import TensorInfo
from support.llama_files import SIZES, Stored, pairs_together, rotated_heads, sizes_of, write

GPT2_SIZES = {"vocab_size": 163, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}


@dataclass(frozen=True)
class Family:
    """How to make a family's tiny models, and what its GGUF files say.

    Attributes:
        architecture: what GGUF files call it.
        make: a transformers model of these sizes, its weights not yet set.
        metadata: a config's values, by the keys of a file without the architecture's name.
        transposed: parts of names whose matrices the checkpoint keeps transposed.
        plus: what the file's norms have more than the checkpoint's.
        interleaved: whether the file keeps the rows of queries and keys with rotated pairs side by
            side.
        sums_alike: whether products of a file add up in the order of the checkpoint's.
        tensors: further tensors of its files, such as divisors of frequencies.
        convert: what else files keep otherwise: of a config, a name and its values the values as
            they are stored, by names that `gguf` knows.
        beyond: a model's metadata by keys that do not begin with the architecture's name.
    """

    architecture: str
    make: Callable[..., Any]
    metadata: Callable[[Any], dict[str, Any]]
    transposed: tuple[str, ...] = ()
    plus: float = 0.0
    interleaved: bool = False
    sums_alike: Callable[[Any], bool] = lambda config: True
    tensors: Callable[[Any], dict[str, np.ndarray]] = lambda model: {}
    convert: Callable[[Any, str, np.ndarray], dict[str, Any]] = lambda config, name, values: {
        name: values
    }
    beyond: Callable[[Any], dict[str, Any]] = lambda model: {}


def make_family(family: Family, seed: int = 0, **sizes: Any) -> Any:
    """A random model whose logits differ by a few units, so that errors show."""
    torch.manual_seed(seed)
    model = family.make(**sizes).to(torch.float32).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            is_norm = "norm" in name or "ln_" in name
            if weight.ndim == 1 or is_norm:
                middle = 1 - family.plus if is_norm and not name.endswith("bias") else 0
                weight.copy_(middle + 0.2 * torch.randn_like(weight))
            else:
                weight.copy_(torch.randn_like(weight) * _spread(family, name, weight))
        for name, buffer in model.named_buffers():
            if name.endswith((".e_score_correction_bias", ".expert_bias")):
                buffer.copy_(0.2 * torch.randn_like(buffer))
            if name.endswith(".layer_scalar"):
                buffer.copy_(1 + 0.2 * torch.randn_like(buffer))
    return model


def _spread(family: Family, name: str, weight: torch.Tensor) -> float:
    if "embed" in name or ".wte." in name or ".wpe." in name:
        return 0.5
    inputs = weight.shape[-2 if any(part in name for part in family.transposed) else -1]
    return 1.5 / inputs**0.5


def read_family(path: Path, family: Family, make: Callable[..., Any], config: Any) -> Any:
    """The float32 model of this config with a file's weights, each dequantized by `gguf`.

    `gguf` itself would take long over a vocabulary of 262,144 strings.
    """
    model = make(config).to(torch.float32).eval()
    state = {}
    with GGUFFile.open(path) as file:
        for name in model.state_dict():
            found = file.tensors.get(_file_name(family, config, name) or "")
            if found is not None:
                values = _dequantize(file, found)
                state[name] = values - family.plus if values.ndim == 1 else values
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True, assign=True)
    return model


def _dequantize(file: GGUFFile, tensor: TensorInfo) -> torch.Tensor:
    rows = np.array(file.data(tensor.name)).reshape(*tensor.shape[:-1], -1)
    values = gguf.dequantize(rows, gguf.GGMLQuantizationType(tensor.type.ggml_id))
    return torch.from_numpy(values)


def _file_name(family: Family, config: Any, name: str) -> str | None:
    arch = next(k for k, title in gguf.MODEL_ARCH_NAMES.items() if title == family.architecture)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    spellings = (name, name.removeprefix("transformer."))
    found = (names.get_name(one, try_suffixes=(".weight", ".bias")) for one in spellings)
    return next((one for one in found if one), None)


def write_family(
    path: Path,
    family: Family,
    model: Any,
    kind: str = "F32",
    *,
    more: Mapping[str, Any] = MappingProxyType({}),
    without: Collection[str] = (),
    more_beyond: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Write the model as a GGUF file, with `more` metadata, or `without` some of it.

    The keys of `more_beyond` are as they are, without the architecture's name.
    """
    config = model.config
    tensors = family.tensors(model)
    for own_name, weight in model.state_dict().items():
        if own_name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        for name, values in family.convert(config, own_name, weight.numpy()).items():
            file_name = _file_name(family, config, name)
            is_stored = isinstance(values, Stored)
            tensors[file_name] = values if is_stored else _arranged(family, config, name, values)
    values = {**family.metadata(config), **more}
    metadata = {f"{family.architecture}.{k}": v for k, v in values.items() if k not in without}
    metadata |= {**family.beyond(model), **more_beyond}
    return write(path, tensors, metadata, kind, family.architecture)


def _arranged(family: Family, config: Any, name: str, values: np.ndarray) -> np.ndarray:
    """The values that a checkpoint has under this name, as a file has them."""
    if values.ndim == 2 and any(part in name for part in family.transposed):
        values = values.T
    if "norm" in name and not name.endswith("bias"):
        values = values + np.float32(family.plus)
    for part, heads in rotated_heads(config).items() if family.interleaved else ():
        if f".{part}." in _file_name(family, config, name):
            values = pairs_together(values.reshape(len(values), -1), heads).reshape(values.shape)
    return values


def _gpt2(**sizes: Any) -> Any:
    return GPT2LMHeadModel(GPT2Config(**GPT2_SIZES | sizes, bos_token_id=0, eos_token_id=0))


def _gpt2_metadata(config: Any) -> dict[str, Any]:
    return {
        "context_length": config.n_positions,
        "embedding_length": config.n_embd,
        "feed_forward_length": config.n_inner or 4 * config.n_embd,
        "block_count": config.n_layer,
        "attention.head_count": config.n_head,
        "attention.layer_norm_epsilon": config.layer_norm_epsilon,
    }


GPT2 = Family(
    "gpt2", _gpt2, _gpt2_metadata, transposed=("c_attn.weight", "c_proj.weight", "c_fc.weight")
)


def maker(model: Any, config: Any, **fixed: Any) -> Callable[..., Any]:
    return lambda **sizes: model(config(**SIZES | fixed | sizes))


def llama_metadata(config: Any) -> dict[str, Any]:
    rope, values = config.rope_parameters, sizes_of(config)
    values["rope.freq_base"] = rope.get("full_attention", rope)["rope_theta"]
    if config.model_type != "gemma3_text":
        return values
    values["attention.sliding_window"] = config.sliding_window
    if rope["full_attention"]["rope_type"] == "linear":
        factor = rope["full_attention"]["factor"]
        values |= {"rope.scaling.type": "linear", "rope.scaling.factor": factor}
    if rope["sliding_attention"]["rope_theta"] != 10_000.0:
        values["rope.freq_base_swa"] = rope["sliding_attention"]["rope_theta"]
    return values


GEMMA3 = Family(
    "gemma3",
    maker(
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=20,
        num_hidden_layers=7,
    ),
    llama_metadata,
    plus=1.0,
)
MISTRAL = Family(
    "llama", maker(MistralForCausalLM, MistralConfig), llama_metadata, interleaved=True
)
QWEN2 = Family("qwen2", maker(Qwen2ForCausalLM, Qwen2Config), llama_metadata)
QWEN3 = Family("qwen3", maker(Qwen3ForCausalLM, Qwen3Config, head_dim=32), llama_metadata)
