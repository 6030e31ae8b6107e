"""A toy model as a file, for what opens models in processes of its own."""

from __future__ import annotations

from pathlib import Path

from support.llama_files import make_model, metadata_of, tensors_of, write
from support.toy import VOCAB_SIZE, toy_metadata
from support.toy_chat import TEMPLATE


def write_toy(path: Path, *, seed: int = 0) -> Path:
    """A random model of two layers that has the toy's tokenizer, and chats."""
    model = make_model(seed=seed, vocab_size=VOCAB_SIZE)
    told = {**toy_metadata(), "tokenizer.chat_template": TEMPLATE}
    return write(path, tensors_of(model), {**metadata_of(model.config), **told})
