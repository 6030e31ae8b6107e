"""The standard streams of a server."""

from __future__ import annotations

import os


def hold_standard_streams() -> None:
    """Open those that were closed, as in `<&-`, to nothing: else a socket would take their place.

    Whatever writes to stderr by its number would then write to a client.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
