"""What to write in place of an option that is not there."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable

import click

from foretell.config.foreign_names import NOTES, OPTION_ALIASES, known_as, plain_name
from foretell.config.settings import ALIASES, SETTINGS
from foretell.loading.options import OPTIONS
from foretell.utils.quoting import quote

PROMPT_NAMES = ("p", "prompt", "input", "text")
PROMPT_NOTE = 'the prompt is an argument of its own, as in foretell generate "Once upon a time"'

OTHER_NAMES = {
    "t": "threads",
    "c": "context_length",
    "s": "seed",
    "f": "file",
    "hf": "model",
    **dict.fromkeys(("sys", "system_prompt"), "system"),
    **dict.fromkeys(("format", "output_format"), "json"),
}
"""Options of other command lines, and what they are called here."""

SHELL_NOTES = {
    **dict.fromkeys(PROMPT_NAMES, PROMPT_NOTE),
    **dict.fromkeys(("stream", "streaming"), "a text is printed as it is written"),
    **dict.fromkeys(("i", "interactive", "conversation", "cnv"), "foretell chat is a chat"),
    **dict.fromkeys(("verbose", "v"), "--quiet says less, and nothing says more"),
    **dict.fromkeys(("output", "o"), "what is printed can go to a file: > file"),
    "no_cnv": "foretell generate is no chat",
    **dict.fromkeys(("system", "system_prompt", "sys"), "foretell chat takes it, as --system"),
    "fa": NOTES["flash_attn"],
}
"""What is asked for in another way on a command line."""


def unknown_option(error: click.NoSuchOption) -> str:
    """One sentence on an option that a command does not have, and what it is called here."""
    hint = _hint(error.option_name, error.ctx) if error.ctx is not None else ""
    return f"No such option {quote(error.option_name)}" + (f": {hint}" if hint else "")


def joined_letters(arguments: Iterable[str]) -> str | None:
    """The first argument that is an option's name after a single dash, as other programs have it.

    Here its letters would be several options, or an option and its value: `-ngl` is `-n gl`.
    """
    options = itertools.takewhile(lambda argument: argument != "--", arguments)
    known = {*SETTINGS, *ALIASES, *OPTIONS, *OPTION_ALIASES, *NOTES, *SHELL_NOTES, *OTHER_NAMES}
    letters = (option for option in options if re.fullmatch(r"-[a-z][\w-]+", option))
    return next((option for option in letters if plain_name(option) in known), None)


def _hint(name: str, context: click.Context) -> str:
    flags = _flags_of(context.command)
    plain = plain_name(name)
    found = known_as(OTHER_NAMES.get(plain, plain), flags)
    if found is not None:
        return f"here it is called {flags[found]}"
    note = _note_of(context, plain) or SHELL_NOTES.get(plain) or NOTES.get(plain)
    if note is not None:
        return note
    bare = {flag.lstrip("-"): flag for flag in flags.values()}  # dashes are no likeness
    close = difflib.get_close_matches(name.lstrip("-"), bare, n=1)
    if close:
        return f"did you mean {bare[close[0]]}?"
    return AFTER_NOTE if context.parent is None else ""


AFTER_NOTE = "options stand after the command, as in foretell generate --seed 7"


def _flags_of(command: click.Command) -> dict[str, str]:
    """Each option's longest spelling, by its name and by that spelling's own."""
    options = [param for param in command.params if isinstance(param, click.Option)]
    flags = {str(option.name): max(option.opts, key=len) for option in options}
    return {plain_name(flag): flag for flag in flags.values()} | flags


def _note_of(context: click.Context, plain: str) -> str | None:
    """What is to be said of an option to this command alone."""
    if context.parent is None:
        return "--version tells the version" if plain == "v" else None
    setting = ALIASES.get(plain, plain)
    if context.info_name == "guide" and setting in SETTINGS:
        return f"foretell guide {setting} explains it"
    takes_prompt = any(param.name == "prompt" for param in context.command.params)
    if plain in PROMPT_NAMES and not takes_prompt:
        typed = ": messages are typed, or come from stdin" if context.info_name == "chat" else ""
        return f"{context.command_path} takes no prompt{typed}"
    return None
