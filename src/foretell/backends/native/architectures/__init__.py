"""Model definitions, one short file an architecture, found by its name in the model file."""

from __future__ import annotations

from typing import TypeAlias

from foretell.backends.native.architectures.gemma3 import Gemma3
from foretell.backends.native.architectures.gpt2 import GPT2
from foretell.backends.native.architectures.llama import Llama
from foretell.backends.native.architectures.shape import Model
from foretell.errors import UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile

Family: TypeAlias = type[Gemma3] | type[GPT2] | type[Llama]

ARCHITECTURES: dict[str, Family] = {
    "gemma3": Gemma3,
    "gpt2": GPT2,
    "llama": Llama,
    "qwen2": Llama,
    "qwen3": Llama,
}
"""By a GGUF file's `general.architecture`."""

MODEL_TYPES: dict[str, Family] = {
    "gemma3_text": Gemma3,
    "gpt2": GPT2,
    "llama": Llama,
    "mistral": Llama,
    "qwen2": Llama,
    "qwen3": Llama,
}
"""By a checkpoint's `model_type`."""


def read_model(file: GGUFFile | Checkpoint) -> Model:
    """The model in this file or folder.

    UnsupportedModelError if its architecture is not known, or its way of quantizing.
    """
    if isinstance(file, Checkpoint):
        return _read_checkpoint(file)
    architecture = file.metadata.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UnsupportedModelError(
            f"{file.path}: architecture {architecture!r} is not supported; supported: {known}"
        )
    return ARCHITECTURES[architecture].from_gguf(file)


def _read_checkpoint(checkpoint: Checkpoint) -> Model:
    checkpoint.refuse_quantized()
    model_type = checkpoint.config.get("model_type")
    if not isinstance(model_type, str) or model_type not in MODEL_TYPES:
        known = ", ".join(sorted(MODEL_TYPES))
        raise UnsupportedModelError(
            f"{checkpoint.path}: model_type {model_type!r:.60} is not known natively; known are "
            f"{known}"
        )
    return MODEL_TYPES[model_type].from_config(checkpoint)
