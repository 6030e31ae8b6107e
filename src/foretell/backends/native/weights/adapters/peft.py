"""PEFT's adapters: a folder with `adapter_config.json` and `adapter_model.safetensors`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foretell.backends.native.weights.adapters.low_rank import (
    MAX_RANK,
    Floats,
    LowRank,
    ReadAdapter,
)
from foretell.backends.native.weights.forms.plain import CHECKPOINT_TYPES
from foretell.backends.native.weights.quantize import to_float32
from foretell.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from foretell.formats.json import read_object
from foretell.formats.metadata import MetadataReader
from foretell.formats.safetensors import SafetensorsFile
from foretell.utils.quoting import escape, name_some, quote

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
REFUSED = (
    *("use_dora", "use_qalora", "lora_bias", "layer_replication", "target_parameters"),
    *("trainable_token_indices", "alora_invocation_tokens", "arrow_config", "megatron_config"),
    *("use_bdlora", "kasa_config", "monteclora_config", "velora_config", "lora_ga_config"),
)
"""Keys that change what is computed, unless they are false, null or empty."""

CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways of starting a training that change the model's own weights too."""

_PART = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)\.lora_(?P<part>A|B|embedding_A|embedding_B)"
    r"(?:\.default)?(?:\.weight)?"
)
_WHOLE = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)(?:\.modules_to_save(?:\.default)?|\.base_layer)?"
    r"\.(?P<kind>weight|bias)"
)
_NOT_NAMES = set("\\^$*+?{}[]|()")


def read_peft(folder: Path) -> ReadAdapter:
    """The adapter in a folder.

    Raises:
        ModelNotFoundError: there is no folder, or no adapter in it.
        ModelFileError: its files are damaged, or at odds with each other.
        UnsupportedModelError: another kind of adapter than LoRA, or of LoRA.
    """
    if not (folder / CONFIG).is_file():
        raise ModelNotFoundError(f"{escape(folder)} is no adapter: must have an {CONFIG}")
    reader = MetadataReader.of_config(read_object(folder / CONFIG), escape(folder / CONFIG))
    _refuse_others(reader)
    if not (folder / WEIGHTS).is_file():
        raise UnsupportedModelError(f"{escape(folder)} has no {WEIGHTS}: save the adapter as such")
    file = SafetensorsFile.open(folder / WEIGHTS)
    factors = _Factors(reader)
    pairs: dict[str, dict[str, str]] = {}
    whole: dict[str, str] = {}
    for name in file.tensors:
        part, other = _PART.fullmatch(name), _WHOLE.fullmatch(name)
        if part is not None:
            pairs.setdefault(part["module"], {})[part["part"]] = name
        elif other is not None and "lora_" not in name:
            whole[f"{other['module']}.{other['kind']}"] = name
        else:
            raise UnsupportedModelError(
                f"{escape(file.path)}: tensor {quote(name)} is no part of a LoRA adapter"
            )
    changes = {
        module: _read_change(file, module, parts, factors) for module, parts in pairs.items()
    }
    if not changes and not whole:
        raise ModelFileError(f"{escape(file.path)} holds no tensors: must have those of an adapter")
    return ReadAdapter(folder, "hub", changes, _renamed(file, whole) if whole else None)


def _refuse_others(reader: MetadataReader) -> None:
    kind = reader.text("peft_type", "LORA")
    if kind != "LORA":
        raise reader.unsupported(f"a PEFT adapter of type {quote(kind)} (other than LORA)")
    for key in REFUSED:
        value = reader.values.get(key)
        if value:
            name = "DoRA" if key == "use_dora" else f"LoRA with {key}={quote(value)}"
            raise reader.unsupported(name)
    start = reader.values.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(CHANGES_BASE):
        raise reader.unsupported(
            f"LoRA with init_lora_weights={quote(start)}, which changes the base"
        )


class _Factors:
    """The factor of each module's product, and the rank that it must have."""

    def __init__(self, reader: MetadataReader) -> None:
        self._reader = reader
        self._rank = reader.integer("r", 1, MAX_RANK, 8)
        self._alpha = reader.number("lora_alpha", -1e9, 1e9, 8)
        self._is_stabilized = reader.flag("use_rslora", False)
        self._ranks = self._pattern("rank_pattern")
        self._alphas = self._pattern("alpha_pattern")

    def of(self, module: str, rank: int, tensor: str, path: Path) -> float:
        """alpha / rank, or alpha / √rank (Kalajdzievski 2023, arXiv 2312.03732)."""
        stated = _look_up(self._ranks, module, self._rank)
        if rank != stated:
            raise ModelFileError(
                f"{escape(path)}: tensor {quote(tensor)} has rank {rank}: must be {stated:g}, as "
                f"{CONFIG} says"
            )
        alpha = _look_up(self._alphas, module, self._alpha)
        return alpha / (math.sqrt(rank) if self._is_stabilized else rank)

    def _pattern(self, key: str) -> Mapping[str, float]:
        part = self._reader.part(key)
        if part is None:
            return {}
        for name in part.values:
            part.number(name, -1e9, 1e9)
            if set(_plain(name)) & _NOT_NAMES:
                raise self._reader.unsupported(
                    f"{key} {quote(name)}: a regular expression, where names are read alone"
                )
        return {_plain(name): float(value) for name, value in part.values.items()}


def _plain(pattern: str) -> str:
    """A pattern that is a name: with the marks of its ends, and escaped dots, or without."""
    return pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")


def _look_up(pattern: Mapping[str, float], module: str, otherwise: float) -> float:
    """The value of the first name that the module's ends with, at a dot."""
    for name, value in pattern.items():
        if module == name or module.endswith(f".{name}"):
            return value
    return otherwise


def _read_change(
    file: SafetensorsFile, module: str, parts: Mapping[str, str], factors: _Factors
) -> LowRank:
    is_embedding = "embedding_A" in parts or "embedding_B" in parts
    wanted = ("embedding_A", "embedding_B") if is_embedding else ("A", "B")
    missing = [part for part in wanted if part not in parts]
    if missing or len(parts) > 2:
        raise ModelFileError(
            f"{escape(file.path)}: module {quote(module)} has {name_some(parts.values())}: must "
            f"have one lora_{wanted[0]} and one lora_{wanted[1]}"
        )
    a, b = (_floats(file, parts[part]) for part in wanted)
    if is_embedding:  # of the transposed weight
        a, b = b.T, a.T
    if b.shape[1] != a.shape[0]:
        raise ModelFileError(
            f"{escape(file.path)}: tensors {name_some(parts.values())} are for ranks {len(a)} and "
            f"{b.shape[1]}: must have one"
        )
    factor = factors.of(module, len(a), parts[wanted[0]], file.path)
    return LowRank(file.path, module, np.ascontiguousarray(a), np.ascontiguousarray(b), factor)


def _floats(file: SafetensorsFile, name: str) -> Floats:
    info = file.tensors[name]
    kind = CHECKPOINT_TYPES.get(info.dtype)
    where = f"{escape(file.path)}: tensor {quote(name)}"
    if kind is None:
        raise UnsupportedModelError(f"{where} is {quote(info.dtype)}: must be F32, F16 or BF16")
    if len(info.shape) != 2 or not all(info.shape):
        raise ModelFileError(f"{where} has the shape {info.shape}: must be a matrix")
    values = to_float32(file.data(name), kind).reshape(info.shape)
    if not np.isfinite(values).all():
        raise ModelFileError(f"{where} holds NaN or infinite weights")
    return values


def _renamed(file: SafetensorsFile, whole: Mapping[str, str]) -> SafetensorsFile:
    """The file, with the names that the model has for what it replaces."""
    found: dict[str, Any] = {
        name: replace(file.tensors[stored], name=name) for name, stored in whole.items()
    }
    file.tensors = found
    return file
