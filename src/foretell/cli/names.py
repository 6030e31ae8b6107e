"""What to write in place of an option that is not there."""

from __future__ import annotations

import difflib

import click

from foretell.config.foreign_names import NOTES, known_as, plain_name
from foretell.utils.quoting import quote

PROMPT_NOTE = 'the prompt is an argument of its own, as in foretell generate "Once upon a time"'

SHORT_NAMES = {"t": "threads", "c": "context_length", "s": "seed", "f": "file"}
"""One-letter options of llama.cpp, and what they are called here."""

SHELL_NOTES = {
    **dict.fromkeys(("p", "prompt", "input", "text"), PROMPT_NOTE),
    **dict.fromkeys(("stream", "streaming"), "a text is printed as it is written"),
    **dict.fromkeys(("i", "interactive", "conversation", "cnv"), "foretell chat is a chat"),
    **dict.fromkeys(("verbose", "v"), "--quiet says less, and nothing says more"),
    **dict.fromkeys(("output", "o"), "what is printed can go to a file: > file"),
    "no_cnv": "foretell generate is no chat",
    "system_prompt": "foretell chat takes it, as --system",
}
"""What is asked for in another way on a command line."""


def unknown_option(error: click.NoSuchOption) -> str:
    """One sentence on an option that a command does not have, and what it is called here."""
    flags = _flags_of(error.ctx.command) if error.ctx is not None else {}
    hint = _hint(error.option_name, flags)
    return f"No such option {quote(error.option_name)}" + (f": {hint}" if hint else "")


def _flags_of(command: click.Command) -> dict[str, str]:
    """Each option's name, and its longest spelling."""
    options = (param for param in command.params if isinstance(param, click.Option))
    return {str(option.name): max(option.opts, key=len) for option in options}


def _hint(name: str, flags: dict[str, str]) -> str:
    plain = plain_name(name)
    found = known_as(SHORT_NAMES.get(plain, plain), flags)
    if found is not None:
        return f"here it is called {flags[found]}"
    note = SHELL_NOTES.get(plain) or NOTES.get(plain)
    if note is not None:
        return note
    bare = {flag.lstrip("-"): flag for flag in flags.values()}  # dashes are no likeness
    close = difflib.get_close_matches(name.lstrip("-"), bare, n=1)
    return f"did you mean {bare[close[0]]}?" if close else ""
