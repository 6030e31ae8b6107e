"""Real text to measure on: what every Python installation carries, so anyone can repeat it."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import textwrap
from dataclasses import dataclass

SHORT_PROMPT = "The cat sat on the"
PROSE_TOPICS = ("naming", "dynamic-features", "exceptions", "objects", "typesfunctions")


@dataclass(frozen=True)
class Text:
    """A named text; the digest tells which version of Python's library it came from."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def python_source() -> Text:
    """The standard library's `textwrap.py`."""
    return Text("Python source (textwrap.py)", inspect.getsource(textwrap))


def prose() -> Text:
    """Chapters of the Python reference, as the interactive help has them."""
    from pydoc_data.topics import topics

    return Text("prose (Python reference)", "\n".join(topics[name] for name in PROSE_TOPICS))


def long_python_source() -> Text:
    """The standard library's `argparse.py`: more than 8,000 tokens."""
    return Text("Python source (argparse.py)", inspect.getsource(argparse))


def long_prose() -> Text:
    """The whole Python reference, as the interactive help has it."""
    from pydoc_data.topics import topics

    return Text(
        "prose (whole Python reference)", "\n".join(topics[name] for name in sorted(topics))
    )
