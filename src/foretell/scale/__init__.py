"""Many rows: a file of requests becomes a folder of answers, in one process or in many.

A job is a manifest (what is asked, of which model, with which settings) and parts of some hundred
rows. A part's file is a function of the manifest and its rows alone, to the last byte: whoever
makes it, in whatever company, after however many attempts, makes the same. So a job is resumed by
making the parts that are missing, and shared by whoever takes one next.

Beside a token's way: it asks as a client of the server would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.scale.ray.data import Generator

__all__ = ["Generator"]


def __getattr__(name: str) -> object:
    if name == "Generator":
        from foretell.scale.ray.data import Generator

        return Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
