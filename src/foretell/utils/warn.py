"""Warnings that point to the user's line, however deep in foretell they arise."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

from foretell.errors import SettingWarning


def warn_of_setting(sentence: str) -> None:
    """A `SettingWarning` at the first line outside of foretell among the callers."""
    warnings.warn(sentence, SettingWarning, stacklevel=_level_of_user())


def _level_of_user() -> int:
    """The `stacklevel` with which the caller's warning points to the first line outside of here."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("foretell."):
        frame, level = frame.f_back, level + 1
    return level
