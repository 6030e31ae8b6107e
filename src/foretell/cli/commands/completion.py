"""`foretell completion`: let the shell complete commands, options, models and topics."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from foretell.cli.completion import COMPLETION_VARIABLE
from foretell.errors import RequestError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script by which a shell completes words.

    It completes commands, options, names of models, and topics of the guide.

    \b
    Examples:
      eval "$(foretell completion bash)"    # in ~/.bashrc
      eval "$(foretell completion zsh)"     # in ~/.zshrc
      foretell completion fish > ~/.config/fish/completions/foretell.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise RequestError(f"this release of click completes nothing in {shell}")
    program = context.find_root().command
    click.echo(kind(program, {}, "foretell", COMPLETION_VARIABLE).source())
