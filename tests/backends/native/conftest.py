"""Tiny model files, and the real one beside transformers' model with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.backends.native.backend import NativeBackend
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama in Q8_0."""
    from support.llama_files import make_model, write_model

    return write_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf", make_model(), "Q8_0")


@pytest.fixture(scope="session")
def reference_model(default_model_path: Path) -> Any:
    """transformers' float32 model with the default model's dequantized weights."""
    from support.llama_files import read_reference

    return read_reference(default_model_path)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., NativeBackend]:
    """`load(path, isa, **settings)`: a backend of a file or folder, on one instruction set."""

    def load_with(path: Path, isa: str | None = None, **settings: Any) -> NativeBackend:
        if isa is not None:
            monkeypatch.setenv("FORETELL_ISA", isa)
        opened = Checkpoint.open(path) if path.is_dir() else GGUFFile.open(path)
        with opened as file:
            return NativeBackend.load(file, **settings)

    return load_with
