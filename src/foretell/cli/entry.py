"""Where the program begins: until everything is imported, Ctrl-C and SIGTERM end it quietly.

A signal in the middle of an import is a traceback, or worse, an error that some library makes
of it. Nothing has to be cleaned up at that time, so the process may end at once.
"""

from __future__ import annotations

import gc

from foretell.cli.interrupts import ExitsAtOnce

YOUNG_OBJECTS = 200_000
"""How many more objects there may be before Python's garbage collector looks for reference cycles.
What is imported and read makes as many, and no cycles; that search would take 5 % of a short
program."""

TYPE_CHECKING = False  # typing itself takes a while to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line with `arguments` (those of the process if None), and exit."""
    gc.set_threshold(YOUNG_OBJECTS)
    with ExitsAtOnce():
        from foretell.cli import main
    main.run(arguments)
