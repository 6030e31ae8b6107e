"""`foretell models`: which models have a name, and which of them are in the cache."""

from __future__ import annotations

import json
from typing import Any

import click

from foretell import hub


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List, fetch, locate, check or remove known models.

    \b
    Examples:
      foretell models
      foretell models --json
      foretell models pull gemma-3-270m
      foretell models path smollm2-135m-instruct
      foretell models remove gemma-3-270m

    Models are cached in FORETELL_HOME if it is set, else in the user's cache folder.
    """
    if context.invoked_subcommand is None:
        _print_models(as_json)
    elif as_json:
        raise click.UsageError("--json goes with the list alone: foretell models --json", context)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_models(as_json: bool) -> None:
    """List known models: name, size, licence, and where they are cached.

    \b
    Examples:
      foretell models list
      foretell models list --json
    """
    _print_models(as_json)


@command.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the model NAME into the cache, and print where it is.

    Nothing happens if it is there already. An interrupted fetch goes on where whole parts ended.

    \b
    Examples:
      foretell models pull smollm2-135m-instruct
      FORETELL_HOME=/data/models foretell models pull gemma-3-270m
    """
    click.echo(hub.pull(name))


@command.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the path of the cached model NAME, and nothing else.

    \b
    Examples:
      foretell models path smollm2-135m-instruct
      ls -l "$(foretell models path smollm2-135m-instruct)"
    """
    click.echo(hub.path(name))


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the model NAME, and what is left of its downloads, from the cache.

    \b
    Examples:
      foretell models remove gemma-3-270m
    """
    click.echo(f"removed {hub.remove(name)}", err=True)


@command.command()
@click.argument("name")
def verify(name: str) -> None:
    """Read the cached model NAME in full and compare its sha256 with the published one.

    \b
    Examples:
      foretell models verify smollm2-135m-instruct
    """
    click.echo(f"{hub.verify(name)}: sha256 is right")


def _print_models(as_json: bool) -> None:
    rows = [_describe(model) for model in hub.known_models()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.secho(_line("NAME", "SIZE", "LICENCE", "CACHED AT"), bold=True)
    for row in rows:
        size = f"{row['size'] / 1e6:.1f} MB"
        click.echo(_line(row["name"], size, row["licence"], row["path"] or "not cached"))
        default = " (the default)" if row["default"] else ""
        click.secho(f"  {row['description']}{default}", dim=True)


def _line(name: str, size: str, licence: str, where: str) -> str:
    return f"{name:<23} {size:>9}  {licence:<19} {where}"


def _describe(model: hub.KnownModel) -> dict[str, Any]:
    cached = hub.is_cached(model)
    return {
        "name": model.name,
        "description": model.description,
        "default": model.name == hub.DEFAULT_MODEL,
        "size": model.size,
        "licence": model.licence,
        "terms_url": model.terms_url,
        "sha256": model.sha256,
        "source": model.source,
        "cached": cached,
        "path": str(hub.path(model.name)) if cached else None,
    }
