"""Checkpoint folders quantized as others do it, each beside the floats that it means.

Written from the formats' definitions, and in other ways than foretell reads them: words are put
together from strings of bits, and weights are computed in float64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from support.family_files import Family, make_family
from support.llama_files import make_model
from support.mixture_files import QWEN3_MOE

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "tie_word_embeddings": False,
}
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
WEIGHTS = "model.safetensors"

Tensors = dict[str, Any]
Writer = Callable[[str, np.ndarray, np.random.Generator], tuple[Tensors, np.ndarray]]
"""From a module's name and its weight to its tensors, and the weight that they mean (float64)."""


@dataclass(frozen=True)
class Quantized:
    """A folder, and the model of transformers that it means."""

    folder: Path
    model: Any


def save_quantized(
    folder: Path,
    writer: Writer,
    config: dict[str, Any],
    *,
    seed: int = 0,
    with_output: bool = False,
    **sizes: Any,
) -> Quantized:
    """Save a tiny Llama whose layers' matrices are quantized, and that of `lm_head` if asked."""
    model = make_model(seed=seed, **SIZES | sizes)
    model.save_pretrained(folder)
    tensors, rng = load_file(folder / WEIGHTS), np.random.default_rng(seed)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and (name != "lm_head" or with_output):
            weight = tensors.pop(f"{name}.weight").numpy()
            parts, meant = writer(name, weight, rng)
            tensors |= {part: _tensor(value) for part, value in parts.items()}
            module.weight.data = torch.from_numpy(meant.astype(np.float32))
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    write_config(folder, config)
    return Quantized(folder, model)


def save_quantized_mixture(
    folder: Path,
    writer: Writer,
    config: dict[str, Any],
    *,
    seed: int = 0,
    family: Family = QWEN3_MOE,
    **sizes: Any,
) -> Quantized:
    """The same of a tiny mixture: attention and every expert, but not the routers."""
    model = make_family(family, seed, **{"hidden_size": 256, "moe_intermediate_size": 128} | sizes)
    meant_folder = folder / "meant"
    for place in (folder, meant_folder):
        model.save_pretrained(place)
    tensors, rng = load_file(folder / WEIGHTS), np.random.default_rng(seed)
    quantized, meant = dict(tensors), dict(tensors)
    for name in [name for name in tensors if re.search(r"_proj(_with_mqa)?\.weight$", name)]:
        weight = quantized.pop(name).numpy()
        parts, values = writer(name.removesuffix(".weight"), weight, rng)
        quantized |= {part: _tensor(value) for part, value in parts.items()}
        meant[name] = torch.from_numpy(values.astype(np.float32))
    save_file(quantized, folder / WEIGHTS, {"format": "pt"})
    save_file(meant, meant_folder / WEIGHTS, {"format": "pt"})
    write_config(folder, config)
    return Quantized(folder, type(model).from_pretrained(meant_folder).eval())


def write_config(folder: Path, config: dict[str, Any] | None) -> None:
    """Let the folder's config.json say how it is quantized."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": config}))


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(value.copy())


def words_of(codes: np.ndarray, bits: int) -> np.ndarray:
    """Each row of codes as one number of many bits, the first lowest, cut into words of 32."""
    rows = []
    for row in codes.tolist():
        number = int("".join(f"{code:0{bits}b}" for code in reversed(row)), 2)
        rows.append(np.frombuffer(number.to_bytes(len(row) * bits // 8, "little"), np.int32))
    return np.array(rows)


@dataclass(frozen=True)
class Grouping:
    """How weights become codes.

    Attributes:
        bits: of a code.
        group: inputs that share a scale; -1: all.
        symmetric: whether zeros are half of the codes' range.
        shuffled: whether the inputs of a group lie anywhere.
    """

    bits: int = 4
    group: int = 128
    symmetric: bool = True
    shuffled: bool = False
    scales: str = "float16"

    def groups_of(self, cols: int, rng: np.random.Generator) -> np.ndarray:
        """The group of each input."""
        size = cols if self.group == -1 else self.group
        groups = np.arange(cols) // size
        return rng.permutation(groups) if self.shuffled else groups

    def quantize(
        self, weight: np.ndarray, groups: np.ndarray
    ) -> tuple[np.ndarray, torch.Tensor, np.ndarray, np.ndarray]:
        """Codes `(rows, cols)`, scales and zeros `(rows, groups)`, and what they mean."""
        largest, count = 2**self.bits - 1, groups.max() + 1
        scales = np.empty((len(weight), count))
        zeros = np.full((len(weight), count), 2 ** (self.bits - 1))
        for group in range(count):
            part = weight[:, groups == group].astype(np.float64)
            if self.symmetric:
                scales[:, group] = 2 * np.abs(part).max(1) / largest
            else:
                low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
                scales[:, group] = (high - low) / largest
                zeros[:, group] = np.clip(np.rint(-low / scales[:, group]), 0, largest)
        stored = torch.from_numpy(scales).to(getattr(torch, self.scales))
        scales = stored.double().numpy()
        codes = np.rint(weight / scales[:, groups]) + zeros[:, groups]
        codes = np.clip(codes, 0, largest).astype(np.int64)
        meant = scales[:, groups] * (codes - zeros[:, groups])
        return codes, stored, zeros, meant


@dataclass(frozen=True)
class GPTQ:
    """GPTQ's tensors; `version` 1 keeps zeros less 1, subtracted from whole words."""

    how: Grouping = field(default_factory=Grouping)
    version: int = 1

    @property
    def config(self) -> dict[str, Any]:
        """What `config.json` says."""
        return {
            "quant_method": "gptq",
            "bits": self.how.bits,
            "group_size": self.how.group,
            "sym": self.how.symmetric,
            "desc_act": self.how.shuffled,
            "checkpoint_format": "gptq" if self.version == 1 else "gptq_v2",
        }

    def __call__(
        self, name: str, weight: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensors, np.ndarray]:
        """The tensors of one module."""
        groups = self.how.groups_of(weight.shape[1], rng)
        codes, scales, zeros, meant = self.how.quantize(weight, groups)
        qzeros = words_of(zeros.T, self.how.bits)
        if self.version == 1 and self.how.bits == 3:
            qzeros = words_of((zeros.T - 1) % 8, 3)
        elif self.version == 1:
            ones = sum(1 << at for at in range(0, 32, self.how.bits))
            qzeros = (qzeros.astype(np.int64) - ones).astype(np.int32)
        return {
            f"{name}.qweight": words_of(codes, self.how.bits).T,
            f"{name}.qzeros": qzeros,
            f"{name}.scales": scales.T.contiguous(),
            f"{name}.g_idx": groups.astype(np.int32),
        }, meant


@dataclass(frozen=True)
class AWQ:
    """AWQ's tensors, for its GEMM kernels."""

    how: Grouping = field(default_factory=lambda: Grouping(symmetric=False))

    @property
    def config(self) -> dict[str, Any]:
        """What `config.json` says."""
        return {
            "quant_method": "awq",
            "bits": 4,
            "group_size": self.how.group,
            "zero_point": True,
            "version": "gemm",
        }

    def __call__(
        self, name: str, weight: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensors, np.ndarray]:
        """The tensors of one module."""
        groups = self.how.groups_of(weight.shape[1], rng)
        codes, scales, zeros, meant = self.how.quantize(weight, groups)
        return {
            f"{name}.qweight": self._words(codes.T),
            f"{name}.qzeros": self._words(zeros.T),
            f"{name}.scales": scales.T.contiguous(),
        }, meant

    def _words(self, codes: np.ndarray) -> np.ndarray:
        eights = codes.reshape(len(codes), -1, 8)[:, :, list(AWQ_ORDER)]
        return words_of(eights.reshape(len(codes), -1), 4)


@dataclass(frozen=True)
class Packed:
    """compressed-tensors' pack-quantized form."""

    how: Grouping = field(default_factory=Grouping)

    @property
    def config(self) -> dict[str, Any]:
        """What `config.json` says."""
        weights = {
            "num_bits": self.how.bits,
            "type": "int",
            "symmetric": self.how.symmetric,
            "strategy": "channel" if self.how.group == -1 else "group",
            "group_size": None if self.how.group == -1 else self.how.group,
            "actorder": "group" if self.how.shuffled else None,
        }
        return compressed("pack-quantized", weights)

    def __call__(
        self, name: str, weight: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensors, np.ndarray]:
        """The tensors of one module."""
        groups = self.how.groups_of(weight.shape[1], rng)
        codes, scales, zeros, meant = self.how.quantize(weight, groups)
        tensors: Tensors = {
            f"{name}.weight_packed": words_of(codes, self.how.bits),
            f"{name}.weight_scale": scales.contiguous(),
            f"{name}.weight_shape": np.array(weight.shape, np.int64),
        }
        if not self.how.symmetric:
            tensors[f"{name}.weight_zero_point"] = words_of(zeros.T, self.how.bits).T
        if self.how.shuffled:
            tensors[f"{name}.weight_g_idx"] = groups.astype(np.int32)
        return tensors, meant


def compressed(form: str, weights: dict[str, Any]) -> dict[str, Any]:
    """What `config.json` says of compressed-tensors."""
    scheme = {"targets": ["Linear"], "weights": weights, "input_activations": None}
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {"group_0": scheme},
        "ignore": ["lm_head"],
        "quantization_status": "compressed",
    }


@dataclass(frozen=True)
class Scaled:
    """Weights in float8 or int8 with scales.

    Attributes:
        block: outputs and inputs that share a scale; 0: all of them.
        scale_name: the last part of the scales' names.
        scale_dtype: of torch.
        dtype: of the weights.
    """

    block: tuple[int, int] = (128, 128)
    scale_name: str = "weight_scale_inv"
    scale_dtype: str = "float32"
    dtype: str = "float8_e4m3fn"
    scalar: bool = False

    def __call__(
        self, name: str, weight: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensors, np.ndarray]:
        """The tensors of one module."""
        rows, cols = weight.shape
        down, along = (size or whole for size, whole in zip(self.block, weight.shape, strict=True))
        lines, columns = np.arange(rows) // down, np.arange(cols) // along
        largest = 448.0 if self.dtype == "float8_e4m3fn" else 127.0
        scales = np.array([
            [np.abs(weight[lines == i][:, columns == j]).max() / largest
             for j in range(columns[-1] + 1)] for i in range(lines[-1] + 1)
        ])  # fmt: skip
        stored = torch.from_numpy(scales).to(getattr(torch, self.scale_dtype))
        spread = stored.double().numpy()[lines][:, columns]
        values = torch.from_numpy(np.clip(weight / spread, -largest, largest))
        codes = (values.round() if self.dtype == "int8" else values).to(getattr(torch, self.dtype))
        meant = codes.double().numpy() * spread
        kept = stored.reshape(()) if self.scalar else stored
        return {
            f"{name}.weight": codes,
            f"{name}.{self.scale_name}": kept,
            f"{name}.input_scale": torch.tensor(1.5),
        }, meant


def fp8_config(block: tuple[int, int] | None = (128, 128), **more: Any) -> dict[str, Any]:
    """What `config.json` says of a float8 checkpoint."""
    return {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "weight_block_size": list(block) if block else None,
        **more,
    }
