"""A GGUF file's own weights as a Hugging Face checkpoint, for peers that convert or load one.

torch is imported where a checkpoint is made only: what loads a converted model stays without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def converted(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder as `make` fills it; one that is there already is taken as it is."""
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def checkpoint(model: Path, folder: Path, dtype: str = "float32") -> Path:
    """A folder inside `folder` with the model of a GGUF file, its tokenizer beside it."""

    def write(target: Path) -> None:
        import torch
        from transformers import AutoTokenizer

        from benchmarks.oracles.reference import load_reference

        reference = load_reference(model).to(getattr(torch, dtype))
        tokenizer = AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            setattr(reference.config, name, getattr(tokenizer, name))
            setattr(reference.generation_config, name, getattr(tokenizer, name))
        reference.save_pretrained(target)
        tokenizer.save_pretrained(target)

    return converted(folder / f"{model.stem}-{dtype}", write)
