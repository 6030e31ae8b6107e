"""What can be done in a chat besides talking: lines that begin with a slash."""

from __future__ import annotations

import difflib
import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.cli.chat.session import Session, note
from foretell.cli.options import warn
from foretell.cli.render import terminal_columns
from foretell.conversation import read_messages
from foretell.errors import ForetellError, RequestError
from foretell.utils.display import count


@dataclass(frozen=True)
class SlashCommand:
    """One command: its argument's name, empty if it takes none; what it does, in words and code.

    An argument in brackets may be left out.
    """

    argument: str
    meaning: str
    run: Callable[[Session, str], None]


def run_command(session: Session, line: str) -> None:
    """Run a command, given without its slash; RequestError if there is none of this name."""
    name, _, argument = line.strip().partition(" ")
    name = OTHER_NAMES.get(name, name)
    if name not in SLASH_COMMANDS:
        close = difflib.get_close_matches(name, SLASH_COMMANDS, n=1)
        hint = f"did you mean /{close[0]}?" if close else "/help lists all (// begins a message)"
        raise RequestError(f"no command is called /{name:.60}: {hint}")
    command = SLASH_COMMANDS[name]
    argument = argument.strip()
    if argument and not command.argument:
        raise RequestError(f"/{name} {argument:.60}: must stand alone")
    if not argument and command.argument and not command.argument.startswith("["):
        raise RequestError(f"/{name} needs {command.argument}")
    command.run(session, argument)


def _help(session: Session, argument: str) -> None:
    forms = {
        f"/{name} {known.argument}".rstrip(): known.meaning
        for name, known in SLASH_COMMANDS.items()
    }
    width = max(map(len, forms))
    columns = max(width + 20, min(terminal_columns(), 100)) - 1
    for form, meaning in forms.items():
        first, rest = f"{form:<{width}}  ", " " * (width + 2)
        note(textwrap.fill(meaning, columns, initial_indent=first, subsequent_indent=rest))
    note(HELP)


HELP = (
    'A line ending in a backslash goes on in the next. Lines between two """, or pasted together, '
    "are one message. // begins a message with a slash. Ctrl-C stops an answer, Ctrl-D leaves."
)


def _set(session: Session, argument: str) -> None:
    if not argument:
        _show_settings(session)
        return
    name, text = [*re.split(r"\s*=\s*|\s+", argument, maxsplit=1), ""][:2]
    config = session.config.override(**{name.replace("-", "_"): read_value(text.strip())})
    warn(config)
    session.config = config
    _show_settings(session)


def read_value(text: str) -> Any:
    """A value in JSON, or else the text as it stands; None if there is none."""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _show_settings(session: Session) -> None:
    settings = session.config.as_dict()
    for name, value in settings.items():
        note(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    if not session.config.is_sampling:
        note("greedy: the likeliest token is taken")


def _system(session: Session, argument: str) -> None:
    before = session.conversation.system
    session.conversation.system = argument or None
    if not argument:
        note("there is no system message" if before is None else f"taken back: {before}")


def _undo(session: Session, argument: str) -> None:
    note(f"taken back: {session.conversation.undo()}")


def _retry(session: Session, argument: str) -> None:
    if session.stopped is not None:
        session.answer(session.stopped.question)
        return
    before = session.conversation.messages
    text = session.conversation.undo()
    try:
        session.answer(text)
    except ForetellError:
        session.conversation.messages = before
        raise


def _keep(session: Session, argument: str) -> None:
    session.keep()


def _clear(session: Session, argument: str) -> None:
    session.conversation.clear()


def _save(session: Session, argument: str) -> None:
    path = _file_name(argument)
    is_there = Path(path).is_file()
    if is_there and not _holds_talk(path):
        raise RequestError(f"{path:.200}: is there, and no conversation: give another name")
    session.conversation.save(path)
    note(f"saved to {path}" + (", in place of the conversation that was there" if is_there else ""))


def _holds_talk(path: str) -> bool:
    try:
        read_messages(path)
    except RequestError:
        return False
    return True


def _load(session: Session, argument: str) -> None:
    session.conversation.load(_file_name(argument))
    note(f"loaded {count(len(session.conversation.messages), 'message')}")


def _file_name(argument: str) -> str:
    """A file's name, without the quotes that a shell would want around it."""
    is_quoted = len(argument) > 2 and argument[0] == argument[-1] and argument[0] in "\"'"
    return argument[1:-1] if is_quoted else argument


def _quit(session: Session, argument: str) -> None:
    session.is_over = True


def _multi(session: Session, argument: str) -> None:
    session.answer(session.reader.read_block())


SLASH_COMMANDS = {
    "help": SlashCommand("", "this list", _help),
    "set": SlashCommand(
        "[NAME [VALUE]]", "show or change settings; without VALUE, take one back", _set
    ),
    "system": SlashCommand(
        "[TEXT]", "what the model is told beforehand; without TEXT, nothing", _system
    ),
    "undo": SlashCommand("", "take back the last message and its answer", _undo),
    "retry": SlashCommand("", "answer the last message again", _retry),
    "keep": SlashCommand("", "keep an answer that was stopped", _keep),
    "clear": SlashCommand("", "forget all but the system message", _clear),
    "save": SlashCommand("FILE", "write the conversation as JSON", _save),
    "load": SlashCommand("FILE", "go on with a saved conversation", _load),
    "multi": SlashCommand("", 'the lines up to a """ are one message', _multi),
    "quit": SlashCommand("", "leave; also /exit, /bye", _quit),
}

OTHER_NAMES = {"exit": "quit", "bye": "quit", "settings": "set", "?": "help"}
"""What these commands are called elsewhere."""
