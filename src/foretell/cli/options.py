"""Options and prompts that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.settings import (
    CHAT_OPTIONS,
    LENGTH_OPTIONS,
    SAMPLING_OPTIONS,
    SETTING_OPTIONS,
    SettingsCommand,
    given,
    warn,
)
from foretell.errors import RequestError
from foretell.hub import DEFAULT_MODEL

if TYPE_CHECKING:
    from foretell.llm import LLM

__all__ = [
    "CHAT_OPTIONS",
    "JSON_OPTION",
    "LENGTH_OPTIONS",
    "MODEL_OPTIONS",
    "PROMPT_OPTIONS",
    "SAMPLING_OPTIONS",
    "SETTING_OPTIONS",
    "SettingsCommand",
    "given",
    "load",
    "read_prompt",
    "warn",
    "with_options",
]

Decorator = Callable[[Any], Any]

MODEL_OPTIONS = (
    click.option(
        "--model",
        "-m",
        default=DEFAULT_MODEL,
        show_default=True,
        metavar="NAME|FILE",
        help="A known model (see `foretell models`) or a GGUF file.",
    ),
    click.option("--threads", type=int, help="Threads that compute.  [default: all cores]"),
)

PROMPT_OPTIONS = (
    click.argument("prompt", required=False),
    click.option(
        "--file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read the prompt from a file.",
    ),
    click.option(
        "--parse-special", is_flag=True, help="Read special tokens in the prompt as such."
    ),
)

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def with_options(*options: Decorator) -> Decorator:
    """A decorator that adds these options, listed in this order by `--help`."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def load(model: str, threads: int | None) -> LLM:
    """Open the model, fetched first if need be."""
    from foretell.llm import LLM

    return LLM(model, threads=threads)


def read_prompt(prompt: str | None, file: Path | None) -> str:
    """The prompt from the argument, the file or stdin; one newline at a text's end is dropped.

    Raises UsageError if there is none, or more than one; RequestError if it is not UTF-8.
    """
    if prompt is not None and file is not None:
        raise click.UsageError("give a prompt or --file, not both", click.get_current_context())
    if file is not None:
        return _decode(file.read_bytes(), str(file))
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and sys.stdin.isatty()):
        message = "there is no prompt: give it as an argument, with --file or on stdin"
        raise click.UsageError(message, click.get_current_context())
    return _decode(sys.stdin.buffer.read(), "stdin")


def _decode(data: bytes, source: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{source} has byte 0x{data[error.start]:02x} at {error.start}: must be UTF-8 text"
        ) from error
    return text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")
