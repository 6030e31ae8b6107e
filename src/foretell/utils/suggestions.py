"""What may be meant by a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A question that proposes the known name most like this one; `otherwise` if none is."""
    import difflib  # takes a while, and nobody needs it who spells well

    close = difflib.get_close_matches(name, [*known], n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise
