"""What the user may want to know, said to Python's `logging`: nothing is printed by the library.

    logging.basicConfig(level=logging.INFO)  # shows what foretell says

The command line prints these lines on stderr.
"""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("foretell")
LOGGER.addHandler(logging.NullHandler())


def tell(text: str) -> None:
    """Say what is going on: level INFO."""
    LOGGER.info("%s", text)


def caution(text: str) -> None:
    """Say what was decided, and might not have been expected: level WARNING."""
    LOGGER.warning("%s", text)
