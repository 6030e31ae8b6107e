"""Which of the instruction sets that an extension was built for is to run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from foretell.errors import ConfigError


def choose_instruction_set(available: Sequence[str]) -> str:
    """FORETELL_ISA, else the first of those that this machine runs, best first.

    Raises ConfigError if FORETELL_ISA is not among them.
    """
    wanted = os.environ.get("FORETELL_ISA")
    if not wanted:
        return available[0]
    if wanted not in available:
        raise ConfigError(
            f"FORETELL_ISA={wanted} cannot run here: this machine has {', '.join(available)}"
        )
    return wanted
