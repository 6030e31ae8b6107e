"""Fixtures of the text room: metadata of the real models, and small made-up vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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


@pytest.fixture
def piece_metadata() -> dict[str, Any]:
    """SentencePiece: three control pieces, 256 bytes, and a few words."""
    pieces = {"▁": -9.0, "h": -8.0, "e": -7.0, "l": -6.0, "he": -1.0, "ll": -2.0, "▁he": -3.0}
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", *bytes_, *pieces, "<table>"],
        "tokenizer.ggml.scores": [0.0] * 259 + [*pieces.values(), -1000.0],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(pieces) + [4],
    }
