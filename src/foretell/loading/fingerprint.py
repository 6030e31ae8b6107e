"""What tells a model's files, and its tokenizer, from all others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.errors import ModelFileError
from foretell.formats.split_names import part_names
from foretell.utils.quoting import escape

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

CHUNK = 1 << 20
READ = (".json", ".jinja", ".model", ".safetensors", ".txt")
"""Ends of the names of files that a folder's model or tokenizer may be read from."""


def model_sha256(path: Path) -> str:
    """The sha256 of a model's bytes: of its file, or of all files that it is read from.

    Args:
        path: a GGUF file, the first part of a split one, or a checkpoint's folder.

    Raises:
        ModelFileError: a file cannot be read.
    """
    files = files_of(path)
    hashes = [_sha256(file) for file in files]
    if len(files) == 1 and not path.is_dir():
        return hashes[0]
    named = [(file.name, digest) for file, digest in zip(files, hashes, strict=True)]
    return hashlib.sha256(repr(named).encode()).hexdigest()


def files_of(path: Path) -> list[Path]:
    """The files that a model may be read from; OSError where a folder cannot be listed."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in READ)
    return [path.with_name(name) for name in part_names(path.name)]


def tokenizer_sha256(tokenizer: Tokenizer) -> str:
    """The sha256 of a tokenizer: each token's bytes, which are special, which end a text."""
    digest = hashlib.sha256()
    for index in range(tokenizer.vocab_size):
        token = tokenizer.token_bytes(index)
        digest.update(b"%d %d " % (tokenizer.is_special(index), len(token)) + token)
    told = (sorted(tokenizer.eos_token_ids), tokenizer.bos_token_id, tokenizer.adds_bos)
    digest.update(repr((told, sorted(tokenizer.chat_templates.items()))).encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelFileError(f"{escape(path)} cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()
