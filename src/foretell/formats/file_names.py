"""What the files of a checkpoint's folder, or of its repository on a hub, are called."""

from __future__ import annotations

CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
TOKENIZER = "tokenizer.json"
TEKKEN, SENTENCEPIECE = "tekken.json", "tokenizer.model"
VOCAB, MERGES = "vocab.json", "merges.txt"
ADDED_TOKENS = "added_tokens.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
"""It says in which file each tensor lies, where there are several."""

MAX_INDEX_BYTES = 1 << 26
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Ends of the names of weights that could run code, and are never read."""
