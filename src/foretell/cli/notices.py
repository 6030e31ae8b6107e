"""What the library says to its logger, as lines of a terminal."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import click

from foretell.utils.notices import LOGGER
from foretell.utils.terminal import printable


class LineHandler(logging.Handler):
    """Writes each record as a line on stderr, if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        with contextlib.suppress(OSError):
            click.echo(f"foretell: {printable(record.getMessage())}", err=True)


@contextlib.contextmanager
def notices_as_lines() -> Iterator[None]:
    """Show notices on stderr while the block runs."""
    handler, level = LineHandler(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
