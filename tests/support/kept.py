"""Tiny models in files, for what is kept of their prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from foretell.llm import LLM
from support.family_files import GEMMA3, MISTRAL, make_family, write_family
from support.kin_files import PHI3
from support.llama_files import make_model, write_model
from support.state_families import LFM2, MAMBA2, remembering
from support.toy import VOCAB_SIZE
from support.toy_chat import chatting_tokenizer

CONTEXT = 512
LLAMAS = {"llama": ("Q8_0", 0), "other": ("Q8_0", 1), "floats": ("F32", 0)}
FAMILIES = {
    "windows": GEMMA3,
    "all windows": MISTRAL,
    "longrope": PHI3,
    "hybrid": LFM2,
    "states": MAMBA2,
}


def write_kind(folder: Path, kind: str, **more: Any) -> Path:
    """A tiny model of a kind: with attention to all, with windows, with states."""
    path = folder / f"{kind}.gguf"
    sizes: dict[str, Any] = {"vocab_size": VOCAB_SIZE, "max_position_embeddings": CONTEXT}
    sizes |= more
    if kind in LLAMAS:
        stored, seed = LLAMAS[kind]
        return write_model(path, make_model(seed=seed, **sizes), stored)
    family = FAMILIES[kind]
    if family is MAMBA2:
        del sizes["max_position_embeddings"]
    make = remembering if family in (LFM2, MAMBA2) else make_family
    return write_family(path, family, make(family, **sizes), "Q8_0")


def open_kind(path: Path, **options: Any) -> LLM:
    """The model, which reads and writes the toy's tokens, and chats."""
    return LLM(path, tokenizer=chatting_tokenizer(), **options)


def some_tokens(number: int, seed: int = 0) -> list[int]:
    """Ids of no control tokens."""
    return np.random.default_rng(seed).integers(0, 256, number).tolist()
