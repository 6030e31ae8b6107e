"""A chat's turns: read an entry, answer it or obey it, until the user leaves."""

from __future__ import annotations

import click

from foretell.cli.chat.commands import run_command
from foretell.cli.chat.session import Session, note
from foretell.errors import ForetellError
from foretell.utils.terminal import printable

HINT = "/help lists commands. Ctrl-C stops an answer, Ctrl-D leaves."


def run_session(session: Session) -> None:
    """Answer until there is no more; at a terminal, mistakes are shown and forgotten."""
    while not session.is_over:
        try:
            _take_turn(session)
        except ForetellError as error:
            if not session.reader.is_terminal:
                raise
            click.echo(f"foretell: error: {printable(' '.join(str(error).split()))}", err=True)
        except KeyboardInterrupt:
            if not session.reader.is_terminal:
                raise
            note(f"\n{HINT}")


def _take_turn(session: Session) -> None:
    entry = session.reader.read()
    if entry is None:
        session.is_over = True
        if session.reader.is_terminal:
            click.echo(err=True)
    elif entry.is_command:
        run_command(session, entry.text)
    else:
        session.answer(entry.text)
