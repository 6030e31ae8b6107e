"""LoRA adapters as PEFT saves them, and the weights that they mean, in float64."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass
class Adapter:
    """A random adapter to be saved.

    Attributes:
        targets: the last parts of the names of modules that it changes.
        rank, alpha: of all modules that no pattern names.
        config: more of what `adapter_config.json` says.
        size: of the random numbers.
    """

    targets: tuple[str, ...] = ATTENTION
    rank: int = 4
    alpha: float = 8
    config: dict[str, Any] = field(default_factory=dict)
    size: float = 0.05
    seed: int = 0

    def save(self, folder: Path, model: Any) -> Path:
        """Save it for this model."""
        rng = np.random.default_rng(self.seed)
        tensors = {}
        for name, module in model.named_modules():
            if name.rpartition(".")[2] not in self.targets:
                continue
            outputs, inputs = _shape(module)
            rank = self._of("rank_pattern", name, self.rank)
            shapes = {"A": (rank, inputs), "B": (outputs, rank)}
            if isinstance(module, torch.nn.Embedding):
                shapes = {"embedding_A": (rank, outputs), "embedding_B": (inputs, rank)}
            for part, shape in shapes.items():
                values = rng.standard_normal(shape).astype(np.float32) * np.float32(self.size)
                suffix = "" if part.startswith("embedding") else ".weight"
                tensors[f"{PREFIX}{name}.lora_{part}{suffix}"] = torch.from_numpy(values)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / WEIGHTS)
        config = {
            "peft_type": "LORA",
            "r": self.rank,
            "lora_alpha": self.alpha,
            "target_modules": list(self.targets),
            "bias": "none",
            "task_type": "CAUSAL_LM",
        }
        (folder / CONFIG).write_text(json.dumps(config | self.config))
        return folder

    def _of(self, key: str, name: str, otherwise: Any) -> Any:
        pattern = self.config.get(key, {})
        return next((v for k, v in pattern.items() if f".{name}".endswith(f".{k}")), otherwise)

    def merge(self, folder: Path, model: Any, share: float = 1.0) -> Any:
        """Change the model as the adapter in the folder says: W + share · alpha / r · B A."""
        tensors = load_file(folder / WEIGHTS)
        for name, module in model.named_modules():
            parts = [tensors.get(f"{PREFIX}{name}.lora_{part}.weight") for part in ("B", "A")]
            is_embedding = f"{PREFIX}{name}.lora_embedding_A" in tensors
            if is_embedding:
                a, b = (tensors[f"{PREFIX}{name}.lora_embedding_{part}"] for part in ("A", "B"))
                parts = [a.T, b.T]
            if parts[0] is None:
                continue
            alpha = self._of("alpha_pattern", name, self.alpha)
            rank = parts[0].shape[1]
            factor = alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank)
            change = share * factor * (parts[0].double() @ parts[1].double())
            if type(module).__name__ == "Conv1D":
                change = change.T
            module.weight.data = (module.weight.double() + change).float()
        return model


def _shape(module: Any) -> tuple[int, int]:
    rows, columns = module.weight.shape
    return (columns, rows) if type(module).__name__ == "Conv1D" else (rows, columns)
