"""Adapters as llama.cpp keeps them: GGUF files of the type "adapter"."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foretell.backends.native.weights.adapters.low_rank import Floats, LowRank, ReadAdapter
from foretell.backends.native.weights.quantize import FLOAT_TYPES, to_float32
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, quote

SUFFIXES = (".weight.lora_a", ".weight.lora_b")


def read_gguf_adapter(path: Path) -> ReadAdapter:
    """The adapter in a GGUF file; errors are those of `read_peft`."""
    with GGUFFile.open(path) as file:
        kind = file.metadata.get("general.type")
        if kind != "adapter" or file.metadata.get("adapter.type") != "lora":
            raise UnsupportedModelError(
                f"{escape(path)}: general.type is {quote(kind)}, adapter.type "
                f"{quote(file.metadata.get('adapter.type'))}: must be 'adapter' and 'lora'"
            )
        reader = MetadataReader(file.metadata, escape(path))
        alpha = reader.number("adapter.lora.alpha", -1e9, 1e9, 0)
        modules: dict[str, list[str]] = {}
        for name in file.tensors:
            suffix = name[-len(SUFFIXES[0]) :]
            if suffix not in SUFFIXES:
                raise UnsupportedModelError(
                    f"{escape(path)}: tensor {quote(name)} is no part of a LoRA adapter"
                )
            modules.setdefault(name.removesuffix(suffix), []).append(name)
        return ReadAdapter(
            path, "gguf", {name: _read_change(file, name, alpha) for name in modules}
        )


def _read_change(file: GGUFFile, module: str, alpha: float) -> LowRank:
    a, b = (_floats(file, f"{module}{suffix}") for suffix in SUFFIXES)
    if module == "token_embd":  # of the transposed weight
        a, b = b.T, a
    if b.shape[1] != a.shape[0]:
        raise ModelFileError(
            f"{escape(file.path)}: tensors {quote(module + SUFFIXES[0])} and "
            f"{quote(module + SUFFIXES[1])} are {a.shape} and {b.shape}: must have one rank"
        )
    factor = alpha / len(a) if alpha else 1.0
    return LowRank(file.path, module, np.ascontiguousarray(a), np.ascontiguousarray(b), factor)


def _floats(file: GGUFFile, name: str) -> Floats:
    if name not in file.tensors:
        raise ModelFileError(f"{escape(file.path)}: tensor {quote(name)} is missing")
    info = file.tensors[name]
    where = f"{escape(file.path)}: tensor {quote(name)}"
    if info.type not in FLOAT_TYPES:
        raise UnsupportedModelError(f"{where} is {info.type.name}: must be F32, F16 or BF16")
    if len(info.shape) != 2:
        raise ModelFileError(f"{where} has the shape {info.shape}: must be a matrix")
    values = to_float32(file.data(name), info.type).reshape(info.shape).copy()
    if not np.isfinite(values).all():
        raise ModelFileError(f"{where} holds NaN or infinite weights")
    return values
