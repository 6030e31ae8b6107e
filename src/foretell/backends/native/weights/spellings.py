"""What checkpoints may call a tensor that transformers calls so."""

from __future__ import annotations

from foretell.formats.checkpoint import Checkpoint

BASE_PREFIXES = ("model.", "transformer.", "gpt_neox.")
TEXT_PREFIX = "model.language_model."
OUTPUTS = ("lm_head.", "embed_out.")
"""What checkpoints call the matrix of the logits: GPT-NeoX's have a name of their own."""


def spellings(name: str) -> list[str]:
    """A tensor's name, with and without its first part, which may be missing in a file.

    And as the model of texts is called in one that reads pictures too.
    """
    return [
        *(name.removeprefix(prefix) for prefix in ("", *BASE_PREFIXES)),
        name.replace(*OUTPUTS),
        *((f"{TEXT_PREFIX}{name.removeprefix('model.')}",) if name.startswith("model.") else ()),
    ]


def find_tensor(checkpoint: Checkpoint, name: str) -> str | None:
    """What the checkpoint calls this tensor, with or without its first part; None: not there."""
    return next((one for one in spellings(name) if one in checkpoint.tensors), None)
