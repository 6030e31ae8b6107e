"""Options and prompts that several commands share."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.completion import complete_model
from foretell.cli.interrupts import ExitsAtOnce
from foretell.cli.settings import (
    BATCH_OPTIONS,
    BEAMS_OPTIONS,
    CHAT_OPTIONS,
    EXPLAIN_OPTIONS,
    SAMPLING_OPTIONS,
    SETTING_OPTIONS,
    SettingsCommand,
    given,
    warn,
)
from foretell.errors import RequestError
from foretell.hub import DEFAULT_MODEL
from foretell.loading.options import DRAFTER_NAMES, OPTIONS, Option
from foretell.utils.surrogates import has_surrogate
from foretell.utils.terminal import is_terminal

if TYPE_CHECKING:
    from foretell.llm import LLM

__all__ = [
    "BATCH_OPTIONS",
    "BEAMS_OPTIONS",
    "CHAT_OPTIONS",
    "EXPLAIN_OPTIONS",
    "JSON_OPTION",
    "MODEL_OPTIONS",
    "OPENING_OPTIONS",
    "PROMPT_OPTIONS",
    "SAMPLING_OPTIONS",
    "SETTING_OPTIONS",
    "ModelChoice",
    "SettingsCommand",
    "given",
    "load",
    "read_prompt",
    "warn",
    "with_options",
]

MAX_INPUT_BYTES = 2**26
BYTE_ORDER_MARK = "\ufeff"

Decorator = Callable[[Any], Any]


@dataclass(frozen=True)
class ModelChoice:
    """Which model is to be opened, by name or path, and with which arguments of `LLM`."""

    name: str
    settings: dict[str, Any]


SHELL_OPTIONS = {name: option for name, option in OPTIONS.items() if option.description is not None}
"""How a model can be opened from the shell; the default of each is left to `LLM`."""


def _model_option(name: str, option: Option) -> Decorator:
    kind: Any = click.Choice(option.choices) if option.choices else option.kind
    if option.flag is not None:
        many: dict[str, Any] = {"type": kind, "multiple": True, "metavar": option.metavar}
        flags = (option.flag, f"--{name.replace('_', '-')}", name)
        return click.option(*flags, help=option.description, callback=_or_none, **many)
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, type=kind, metavar=option.metavar, help=option.description)


def _gather_model(command: Any) -> Any:
    """Let a command take its model options as one `ModelChoice`."""

    @functools.wraps(command)
    def call(model: str, **others: Any) -> Any:
        return command(model=ModelChoice(model, _opening(others)), **others)

    return call


def _gather_opening(command: Any) -> Any:
    """Let a command take them as `opening`, where it names its models itself."""

    @functools.wraps(command)
    def call(**others: Any) -> Any:
        return command(opening=_opening(others), **others)

    return call


def _opening(others: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `LLM` among what a command is given, from which they are taken."""
    settings = given({name: others.pop(name) for name in SHELL_OPTIONS})
    if "speculation" in settings:
        settings["speculation"] = _speculation(settings["speculation"])
    if "adapters" in settings:
        settings["adapters"] = [_adapter(word) for word in settings["adapters"]]
    return settings


def _speculation(word: str) -> Any:
    """What `LLM` takes for it: any other word is a draft model's name."""
    if word == "none":
        return None
    return word if word in DRAFTER_NAMES else {"draft_model": word}


def _or_none(context: click.Context, parameter: click.Parameter, words: Any) -> Any:
    """What was given, several times perhaps; None where it was not."""
    return words or None


def _adapter(word: str) -> tuple[str, float]:
    """A path, and the weight behind its last "=", if there is a number."""
    path, _, weight = word.rpartition("=")
    try:
        return (path, float(weight)) if path else (word, 1.0)
    except ValueError:
        return word, 1.0


MODEL_OPTIONS = (
    click.option(
        "--model",
        "-m",
        default=DEFAULT_MODEL,
        show_default=True,
        metavar="NAME|PATH",
        shell_complete=complete_model,
        help="A known model (see `foretell models`), a GGUF file, a checkpoint's folder, or a "
        "Hugging Face id: org/name, or org/name:file.gguf.",
    ),
    *(_model_option(name, option) for name, option in SHELL_OPTIONS.items()),
    _gather_model,
)
"""How a model is opened; a command is given them as one `ModelChoice`, named `model`."""

OPENING_OPTIONS = (
    *(_model_option(name, option) for name, option in SHELL_OPTIONS.items()),
    _gather_opening,
)
"""The same for a command that names its models itself, and is given a dict named `opening`."""

PROMPT_OPTIONS = (
    click.argument("prompt", required=False),
    click.option(
        "--file",
        type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
        help="Read the prompt from a file, or with - from stdin.",
    ),
    click.option(
        "--parse-special", is_flag=True, help="Read special tokens in the prompt as such."
    ),
)

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

RECEIPT_OPTION = click.option(
    "--receipt",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what it takes to make the text again: `foretell replay FILE` does.",
)


def with_options(*options: Decorator) -> Decorator:
    """A decorator that adds these options, listed in this order by `--help`."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def load(model: ModelChoice) -> LLM:
    """Open the model, fetched first if need be."""
    with ExitsAtOnce():
        from foretell.llm import LLM

    return LLM(model.name, **model.settings)


def read_prompt(prompt: str | None, file: Path | None) -> str:
    """The prompt from the argument, the file or stdin; one newline at a text's end is dropped.

    A UTF-8 byte order mark is no part of it either. Raises UsageError if there is no prompt, or
    more than one; RequestError if it is not UTF-8, or larger than any context.
    """
    if prompt is not None and file is not None:
        raise click.UsageError("give a prompt or --file, not both", click.get_current_context())
    if file is not None and str(file) != "-":
        with file.open("rb") as stream:
            return _decode(stream.read(MAX_INPUT_BYTES + 1), str(file))
    if prompt is not None and prompt != "-":
        _check_locale(prompt)
        return prompt
    is_asked_for = prompt is not None or file is not None
    if sys.stdin is None or (not is_asked_for and is_terminal(sys.stdin)):
        message = "there is no prompt: give it as an argument, with --file or on stdin"
        raise click.UsageError(message, click.get_current_context())
    return _decode(sys.stdin.buffer.read(MAX_INPUT_BYTES + 1), "stdin")


def _check_locale(prompt: str) -> None:
    """Raise UsageError if the prompt has bytes that the locale's encoding does not know."""
    if has_surrogate(prompt):
        encoding = sys.getfilesystemencoding()
        reason = "it is not UTF-8 text"
        if encoding != "utf-8":
            reason = f"the locale's encoding is {encoding} and not UTF-8 (LC_ALL=C.UTF-8 sets it)"
        raise click.UsageError(f"the prompt cannot be read: {reason}", click.get_current_context())


def _decode(data: bytes, source: str) -> str:
    if len(data) > MAX_INPUT_BYTES:
        raise RequestError(f"{source} is too large: must have at most {MAX_INPUT_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{source} has byte 0x{data[error.start]:02x} at {error.start}: must be UTF-8 text"
        ) from error
    text = text.removeprefix(BYTE_ORDER_MARK)
    return text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")
