"""Fixtures of the text room: metadata of the real models, and small made-up vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.pieces import piece_metadata, spaced_metadata
from support.textbook_bpe import visible_bytes

from foretell.formats.gguf import GGUFFile
from foretell.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def default_metadata(default_model_path: Path) -> dict[str, Any]:
    with GGUFFile.open(default_model_path) as file:
        return file.metadata


@pytest.fixture(scope="session")
def gemma_metadata(gemma_model_path: Path) -> dict[str, Any]:
    with GGUFFile.open(gemma_model_path) as file:
        return file.metadata


@pytest.fixture(scope="session")
def default_tokenizer(default_metadata: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_gguf(default_metadata, source="default.gguf")


@pytest.fixture
def byte_metadata() -> dict[str, Any]:
    """Byte-level: 256 bytes, "he", "ll", "hell", a user-defined and two control tokens."""
    tokens = [*visible_bytes().values(), "he", "ll", "hell", "<think>", "<s>", "<|im_end|>"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * 259 + [4, 3, 3],
        "tokenizer.ggml.merges": ["h e", "l l", "he ll"],
        "tokenizer.ggml.bos_token_id": tokens.index("<s>"),
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
    }


@pytest.fixture(name="piece_metadata")
def _piece_metadata() -> dict[str, Any]:
    return piece_metadata()


@pytest.fixture(name="spaced_metadata")
def _spaced_metadata() -> dict[str, Any]:
    return spaced_metadata()
