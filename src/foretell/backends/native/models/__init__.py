"""Model definitions, one short file an architecture, found by its name in the model file."""

from __future__ import annotations

from foretell.backends.native.models.llama import Llama
from foretell.backends.native.weights.gguf import GGUFFile
from foretell.errors import UnsupportedModelError

ARCHITECTURES = {"llama": Llama}


def read_model(file: GGUFFile) -> Llama:
    """The model in this file; raises UnsupportedModelError if its architecture is not known."""
    architecture = file.metadata.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UnsupportedModelError(
            f"{file.path}: architecture {architecture!r} is not supported; supported: {known}"
        )
    return ARCHITECTURES[architecture].from_gguf(file)
