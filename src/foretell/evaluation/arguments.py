"""What evaluations are given: open models and a text, or an error in a sentence."""

from __future__ import annotations

from typing import Any

from foretell.errors import ConfigError
from foretell.utils.quoting import quote


def check_model(name: str, value: Any) -> None:
    """ConfigError unless it does what an LLM does, in no event loop; `name` is the argument's."""
    if not (hasattr(value, "info") and hasattr(value, "__enter__")):
        opened = f"LLM({quote(value)})" if isinstance(value, str) else "LLM(name or path)"
        raise ConfigError(f"{name}={quote(value)} must be an open model, an LLM: {opened}")


def check_text(value: Any) -> None:
    """ConfigError unless it is a text."""
    if not isinstance(value, str):
        raise ConfigError(f"text={quote(value)} must be a text (a str), such as what a file has")
