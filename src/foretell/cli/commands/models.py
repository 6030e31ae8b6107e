"""`foretell models`: which models have a name or are cached; fetch, find, check, remove them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import click

from foretell import hub
from foretell.cli.completion import complete_name
from foretell.cli.groups import HelpfulGroup
from foretell.cli.render import terminal_columns
from foretell.utils.terminal import printable

TABLE_COLUMNS = 34  # beside a name, without the path, which may be of any length

_name = click.argument("name", shell_complete=complete_name)
_revision = click.option("--revision", help="Branch, tag or commit of a Hugging Face model.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


class ModelsGroup(HelpfulGroup):
    """The verbs of `foretell models`."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        "ls": "here it is 'list'",
        **dict.fromkeys(("get", "download", "fetch"), "here it is 'pull'"),
        **dict.fromkeys(("rm", "delete"), "here it is 'remove'"),
        **dict.fromkeys(("show", "where", "locate"), "here it is 'path'"),
        "check": "here it is 'verify'",
    }


@click.group(cls=ModelsGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List, fetch, locate, check or remove models.

    \b
    Examples:
      foretell models
      foretell models --json
      foretell models pull gemma-3-270m
      foretell models pull openai-community/gpt2
      foretell models path smollm2-135m-instruct
      foretell models remove gemma-3-270m

    A NAME is a known name (see the list), a Hugging Face id (org/name), or one GGUF file of a
    Hugging Face model (org/name:file.gguf). Any part of a split GGUF means all of it.

    Known models are cached in FORETELL_HOME if it is set, else in the user's cache folder; models
    of the hub where all Hugging Face tools have them (HF_HOME, HF_HUB_CACHE). HF_ENDPOINT, HF_TOKEN
    and HF_HUB_OFFLINE mean what they mean to those.
    """
    if context.invoked_subcommand is None:
        _print_models(as_json)
    elif as_json:
        raise click.UsageError("--json goes after the verb: foretell models list --json", context)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_models(as_json: bool) -> None:
    """List known and cached models: name, size, licence, where.

    \b
    Examples:
      foretell models list
      foretell models list --json
    """
    _print_models(as_json)


@command.command()
@_name
@_revision
@_as_json
def pull(name: str, revision: str | None, as_json: bool) -> None:
    """Fetch the model NAME into its cache, and print where it is.

    Nothing is fetched if it is there already and its hashes are right; of a hub's model, if it is
    also the newest. An interrupted fetch goes on where whole files ended.

    \b
    Examples:
      foretell models pull smollm2-135m-instruct
      foretell models pull openai-community/gpt2 --revision main
      foretell models pull org/name:model-Q4_K_M.gguf
      FORETELL_HOME=/data/models foretell models pull gemma-3-270m
    """
    _print_path(hub.pull(name, revision), as_json)


@command.command()
@_name
@_revision
@_as_json
def path(name: str, revision: str | None, as_json: bool) -> None:
    """Print the path of the cached model NAME, and nothing else.

    \b
    Examples:
      foretell models path smollm2-135m-instruct
      foretell models path openai-community/gpt2 --json
      ls -l "$(foretell models path smollm2-135m-instruct)"
    """
    _print_path(hub.path(name, revision), as_json)


@command.command()
@_name
@_revision
@_as_json
def remove(name: str, revision: str | None, as_json: bool) -> None:
    """Delete the model NAME from its cache.

    What is left of its downloads goes with it. A Hugging Face id means all its cached revisions,
    unless --revision names one. Other tools that share the cache lose it too.

    \b
    Examples:
      foretell models remove gemma-3-270m
      foretell models remove org/name:model-Q4_K_M.gguf
    """
    removed = hub.remove(name, revision)
    if as_json:
        click.echo(json.dumps({"name": name, "removed": str(removed)}, indent=2))
    else:
        click.echo(f"removed {removed}", err=True)


@command.command()
@_name
@_revision
@_as_json
def verify(name: str, revision: str | None, as_json: bool) -> None:
    """Check the cached model NAME by its published hashes.

    It is read in full.

    \b
    Examples:
      foretell models verify smollm2-135m-instruct
      foretell models verify openai-community/gpt2 --json
    """
    found = hub.verify(name, revision)
    if as_json:
        click.echo(json.dumps({"name": name, "path": str(found), "verified": True}, indent=2))
    else:
        click.echo(f"{found}: sha256 is right")


def _print_path(path: Path, as_json: bool) -> None:
    if not as_json:
        click.echo(path)
        return
    row = next(row for row in _rows() if row["path"] == str(path))
    click.echo(json.dumps(row, indent=2))


def _print_models(as_json: bool) -> None:
    rows = _rows()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(row["name"]) for row in rows)
    if terminal_columns() < width + TABLE_COLUMNS:
        _print_stacked(rows)
        return
    click.secho(_line(width, "NAME", "SIZE", "LICENCE", "CACHED AT"), bold=True)
    for row in rows:
        click.echo(printable(_line(width, row["name"], *_cells(row))))
        click.secho(f"  {printable(_remark(row))}", dim=True)


def _print_stacked(rows: list[dict[str, Any]]) -> None:
    """A model in a few lines, where there is no room for a table."""
    for row in rows:
        size, licence, where = _cells(row)
        click.secho(printable(row["name"]), bold=True)
        click.echo(printable(f"  {size}, {licence}"))
        click.echo(printable(f"  {where}"))
        lines = textwrap.wrap(_remark(row), max(20, terminal_columns() - 2))
        click.secho("\n".join(f"  {printable(line)}" for line in lines), dim=True)


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    """Size, licence and place."""
    licence, where = row["licence"] or "on its card", row["path"] or "not cached"
    return f"{row['size'] / 1e6:.1f} MB", licence, where


def _line(width: int, name: str, size: str, licence: str, where: str) -> str:
    return f"{name:<{width}} {size:>10}  {licence:<19} {where}"


def _remark(row: dict[str, Any]) -> str:
    if row["commit"] is not None:
        return f"{row['description']}, from the hub, revision {row['revision']}"
    return f"{row['description']}{' (the default)' if row['default'] else ''}"


def _rows() -> list[dict[str, Any]]:
    known = [_describe_known(model) for model in hub.known_models()]
    return known + [_describe_cached(model) for model in hub.cached_models()]


def _describe_known(model: hub.KnownModel) -> dict[str, Any]:
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
        "revision": None,
        "commit": None,
        "cached": cached,
        "path": str(hub.path(model.name)) if cached else None,
    }


def _describe_cached(model: hub.CachedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "description": model.description,
        "default": False,
        "size": model.size,
        "licence": None,
        "terms_url": None,
        "sha256": None,
        "source": "hub",
        "revision": model.revision,
        "commit": model.commit,
        "cached": True,
        "path": str(model.path),
    }
