"""From what the user calls a model to a backend that runs it, and its tokenizer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from foretell.backends.base import Backend
from foretell.errors import ConfigError
from foretell.hub import resolve
from foretell.recommended import read_recommended

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

DEFAULTS: dict[str, Any] = {
    "threads": None,
    "activations": "int8",
    "kv_dtype": "float16",
    "context_length": None,
    "num_blocks": None,
    "kv_share": None,
}


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run, its tokenizer, and the settings that its files recommend."""

    backend: Backend
    tokenizer: Tokenizer
    recommended: dict[str, Any] = field(default_factory=dict)


def open_model(model: str | os.PathLike[str], settings: dict[str, Any]) -> LoadedModel:
    """Load a known model, fetched if need be, or a GGUF file."""
    from foretell.backends.native.backend import NativeBackend
    from foretell.backends.native.weights.gguf import GGUFFile
    from foretell.text.tokenizer import Tokenizer

    path = resolve(model)
    with GGUFFile.open(path) as file:
        tokenizer = Tokenizer.from_gguf(file.metadata, source=str(path))
        recommended = read_recommended(file.metadata, path)
        return LoadedModel(NativeBackend.load(file, **settings), tokenizer, recommended)


def check_backend(model: object, settings: dict[str, Any]) -> Backend:
    """Take an object that runs a model; settings that would configure another are refused."""
    if not (hasattr(model, "forward") and hasattr(model, "info")):
        raise ConfigError(f"model={model!r} must be a name, the path of a GGUF file, or a Backend")
    for name, value in settings.items():
        if value != DEFAULTS[name]:
            raise ConfigError(f"{name}={value!r} has no effect on a model given as a Backend")
    return cast(Backend, model)
