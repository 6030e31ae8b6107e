"""The command line: `foretell COMMAND ...`, one file of `cli/commands/` a command.

A command's file is imported when the command is named, so that `foretell --version` stays fast.
Whatever goes wrong reaches the user as one line on stderr and an exit code ≠ 0.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import click

from foretell import __version__
from foretell.cli.completion import COMPLETION_VARIABLE
from foretell.cli.groups import HelpfulGroup
from foretell.cli.interrupts import EXIT_INTERRUPTED, ExitsAtOnce
from foretell.errors import ForetellError, SettingWarning
from foretell.utils.terminal import printable

HELP_ORDER = (
    *("generate", "chat", "next", "score", "explain", "beams", "alternatives", "compare"),
    *("choose", "infill", "watermark", "serve", "playground", "batch", "prefix", "replay"),
    *("perplexity", "kl", "quality", "eval", "guide", "models", "bench", "demo", "completion"),
)
"""The commands that `foretell --help` lists first, in this order; others follow by name."""

EXIT_TERMINATED = 128 + signal.SIGTERM


class LazyGroup(HelpfulGroup):
    """A click group whose commands are the files of `cli/commands/`, imported when needed."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        "run": "foretell chat talks, foretell generate goes on with a text",
        **dict.fromkeys(("list", "ls"), "foretell models lists models"),
        **dict.fromkeys(("pull", "download"), "foretell models pull NAME fetches a model"),
        **dict.fromkeys(("rm", "remove"), "foretell models remove NAME deletes a model"),
        "help": "foretell --help lists all",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the files in `cli/commands/`, in the order of `foretell --help`."""
        import pkgutil  # not at the top, for the sake of `foretell --version`

        from foretell.cli import commands

        names = {module.name for module in pkgutil.iter_modules(commands.__path__)}
        first = [name for name in HELP_ORDER if name in names]
        return [*first, *sorted(names.difference(first))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of this name; None if there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        with ExitsAtOnce():
            module = importlib.import_module(f"foretell.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": lambda token: token.replace("_", "-"),  # as Python spells them
    },
)
@click.version_option(__version__, message="foretell %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Text from causal language models, one token at a time, on the machine in front of you.

    \b
    Examples:
      foretell demo
      foretell generate "The cat sat on the" --max-new-tokens 50 --temperature 0.8
      foretell chat
      foretell next "The cat sat on the"
      foretell score "The cat sat on the mat"
      foretell models
      foretell playground
      foretell serve
      foretell generate "Once upon a time" --model path/to/model.gguf

    Text goes to stdout, everything else to stderr. `foretell COMMAND --help` shows more.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line with `arguments` (those of the process if None), and exit."""
    signal.signal(signal.SIGTERM, _exit_terminated)
    if sys.stdout is None:  # closed, as in `>&-`: whatever is written shall fail, not vanish
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a poor terminal gets "?", not a traceback
    code = _run_command(sys.argv[1:] if arguments is None else list(arguments))
    _let_go_of_output()
    sys.exit(code)


def _exit_terminated(number: int, frame: object) -> NoReturn:
    sys.exit(EXIT_TERMINATED)


def _run_command(arguments: list[str]) -> int:
    """Run one command; print what went wrong; return its exit code."""
    try:
        _invoke(arguments)
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.ClickException as error:
        return _complain(_with_help_hint(error, arguments), error.exit_code)
    except ForetellError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except OSError as error:
        return _explain_os_error(error)
    return 0


def _invoke(arguments: list[str]) -> None:
    if COMPLETION_VARIABLE in os.environ:  # the shell asks for completions
        cli.main(arguments, prog_name="foretell", complete_var=COMPLETION_VARIABLE)
    with (
        cli.make_context("foretell", arguments, color=_color_choice()) as context,
        _warnings_as_lines(),
        _notices_as_lines(),
    ):
        cli.invoke(context)
    if sys.stdout is not None:
        sys.stdout.flush()  # here a full disk or a closed pipe can still be reported


@contextlib.contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show warnings about settings as one line on stderr, each once."""
    shown: set[str] = set()
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        if not issubclass(category, SettingWarning):
            usual(message, category, *rest, **named)
        elif str(message) not in shown:
            shown.add(str(message))
            click.echo(f"foretell: warning: {printable(str(message))}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", SettingWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def _notices_as_lines() -> Iterator[None]:
    """Show what the library says to its logger as lines on stderr."""
    from foretell.cli.notices import notices_as_lines  # not at the top: logging is slow to import

    with notices_as_lines():
        yield


def _color_choice() -> bool | None:
    """False where colours are unwanted; None leaves it to click: colours on terminals only."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def _with_help_hint(error: click.ClickException, arguments: list[str]) -> str:
    message = _message_of(error, arguments).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message} (see `{context.command_path} --help`)" if context else message


def _message_of(error: click.ClickException, arguments: list[str]) -> str:
    if not isinstance(error, click.NoSuchOption | click.BadParameter):
        return error.format_message()
    from foretell.cli.names import joined_letters, unknown_option

    letters = joined_letters(arguments)
    if letters is not None:
        error = click.NoSuchOption(letters, ctx=error.ctx)
    if isinstance(error, click.NoSuchOption):
        return unknown_option(error)
    return error.format_message()


def _explain_os_error(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # whoever read the output has enough, as in `| head -1`
        return 0
    reason = error.strerror or str(error)
    return _complain(f"{error.filename or 'the output cannot be written'}: {reason}", 1)


def _complain(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        click.echo(f"foretell: error: {printable(' '.join(message.split()))}", err=True)
    return code


def _let_go_of_output() -> None:
    """Flush stdout; if it takes nothing any more, keep Python from trying again as it exits."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
