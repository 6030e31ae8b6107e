"""A `tokenizer.json` without the spaces that it puts before a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from foretell.text.tokenizers.hf_steps import steps_of

if TYPE_CHECKING:
    import tokenizers

ADDERS: Mapping[str, Mapping[str, Any]] = {
    "ByteLevel": {"add_prefix_space": False},
    "Metaspace": {"prepend_scheme": "never"},
    "Prepend": {"prepend": ""},
}
"""What each kind of step must say to put nothing before a stretch of text."""


def without_first_space(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer without what it puts before a text's begin alone."""
    return _changed(tokenizer, lambda step: step.get("prepend_scheme") == "first")


def without_spaces(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer without what it puts before any stretch of text."""
    return _changed(tokenizer, lambda step: True)


def _changed(
    tokenizer: tokenizers.Tokenizer, concerns: Callable[[Mapping[str, Any]], bool]
) -> tokenizers.Tokenizer:
    """A copy in which the steps concerned put nothing before a text; itself if none does."""
    parts = {
        name: json.loads(part.__getstate__())
        for name in ("normalizer", "pre_tokenizer")
        if (part := getattr(tokenizer, name)) is not None
    }
    changes = [_silence(step, concerns) for part in parts.values() for step in steps_of(part)]
    if not any(changes):
        return tokenizer
    spec = {**json.loads(tokenizer.to_str()), **parts}
    return type(tokenizer).from_str(json.dumps(spec))


def _silence(step: dict[str, Any], concerns: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Let a step put nothing before a text; whether it did."""
    silent = ADDERS.get(step["type"], {})
    if not concerns(step) or silent.items() <= step.items():
        return False
    step.update(silent)
    return True
