"""From what the user calls a model to a backend that runs it, and its tokenizer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from foretell.backends.base import Backend
from foretell.errors import ConfigError
from foretell.hub import resolve

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

DEFAULTS: dict[str, Any] = {
    "threads": None,
    "activations": "int8",
    "kv_dtype": "float16",
    "context_length": None,
}


def open_model(
    model: str | os.PathLike[str], settings: dict[str, Any]
) -> tuple[Backend, Tokenizer]:
    """Load a known model, fetched if need be, or a GGUF file."""
    from foretell.backends.native.backend import NativeBackend
    from foretell.backends.native.weights.gguf import GGUFFile
    from foretell.text.tokenizer import Tokenizer

    path = resolve(model)
    with GGUFFile.open(path) as file:
        tokenizer = Tokenizer.from_gguf(file.metadata, source=str(path))
        return NativeBackend.load(file, **settings), tokenizer


def check_backend(model: object, settings: dict[str, Any]) -> Backend:
    """Take an object that runs a model; settings that would configure another are refused."""
    if not (hasattr(model, "forward") and hasattr(model, "info")):
        raise ConfigError(f"model={model!r} must be a name, the path of a GGUF file, or a Backend")
    for name, value in settings.items():
        if value != DEFAULTS[name]:
            raise ConfigError(f"{name}={value!r} has no effect on a model given as a Backend")
    return cast(Backend, model)
