"""A small SentencePiece vocabulary, as a GGUF file states it."""

from __future__ import annotations

from typing import Any


def piece_metadata() -> dict[str, Any]:
    """Three control pieces, 256 bytes, a few words and a user-defined token."""
    pieces = {"▁": -9.0, "h": -8.0, "e": -7.0, "l": -6.0, "he": -1.0, "ll": -2.0, "▁he": -3.0}
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", *bytes_, *pieces, "<table>"],
        "tokenizer.ggml.scores": [0.0] * 259 + [*pieces.values(), -1000.0],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(pieces) + [4],
    }


def spaced_metadata() -> dict[str, Any]:
    """A small vocabulary of Gemma 4's kind: characters and merges, and a user-defined token."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    words = ["▁", "h", "e", "l", "he", "ll", "▁he", "hell", "\n", "\n\n", "\n\n\n\n", "▁▁"]
    merges = ["h e", "l l", "▁ he", "he ll", "\n \n", "▁ ▁"]
    control = ["<pad>", "<eos>", "<bos>", "<turn|>"]
    return {
        "tokenizer.ggml.model": "gemma4",
        "tokenizer.ggml.tokens": [*control, *bytes_, *words, "<table>"],
        "tokenizer.ggml.scores": [-1000.0] * 273,
        "tokenizer.ggml.token_type": [3] * 4 + [6] * 256 + [1] * len(words) + [4],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.eos_token_id": 1,
    }
