"""`foretell prefix`: what is computed of a prompt, kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.groups import HelpfulGroup
from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    ModelChoice,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_json
from foretell.utils.display import count

if TYPE_CHECKING:
    from foretell.outputs import KeptPrefix

_place = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))


@click.group(cls=HelpfulGroup)
def command() -> None:
    """Keep what is computed of a prompt in a file, or show it.

    \b
    Examples:
      foretell prefix save manual.prefix --file manual.txt
      foretell prefix save helper.prefix --system "You help customers of our shop, in a few words."
      foretell prefix show manual.prefix
      foretell serve --prefix helper.prefix
    """


@command.command()
@_place
@with_options(*PROMPT_OPTIONS)
@click.option("--system", metavar="TEXT", help="Keep what chats with this system message share.")
@click.option(
    "--system-file",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="The same, with the message from a file, or with - from stdin.",
)
@with_options(*MODEL_OPTIONS, JSON_OPTION)
def save(
    path: Path,
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    system: str | None,
    system_file: Path | None,
    model: ModelChoice,
    as_json: bool,
) -> None:
    """Compute PROMPT, and write its keys and values to FILE, for --prefix.

    Without a prompt, or with -, it is read from stdin. With --system or --system-file, what the
    prompts of all chats with that system message begin with is kept, as the model's chat template
    has it.

    A file is for one model, opened in the same way (--quantize, --adapter, --kv-dtype), and one
    version of foretell, on any machine. It is checked by its hash whenever it is loaded.

    \b
    Examples:
      foretell prefix save manual.prefix < manual.txt
      foretell prefix save helper.prefix --system-file rules.txt
      foretell generate --prefix manual.prefix --file manual-and-question.txt
      foretell serve --prefix helper.prefix
    """
    asked = _asked(prompt, file, system, system_file, parse_special)
    with load(model) as llm:
        kept = llm.save_prefix(path, **asked)
    _tell(kept, "kept", as_json=as_json)


@command.command()
@_place
@with_options(JSON_OPTION)
def show(path: Path, as_json: bool) -> None:
    """Check FILE by its hash, and show what is kept in it, and by which model.

    \b
    Examples:
      foretell prefix show manual.prefix
      foretell prefix show manual.prefix --json
    """
    from foretell.prefixes.files import prefix_reader

    with prefix_reader(path) as reader:
        for _ in reader.blocks(1):
            pass
        header, sha256 = reader.header, reader.sha256
    made_by = {name: value for name, value in header.made_by.items() if value not in (None, [])}
    if as_json:
        sizes = {"num_tokens": len(header.token_ids), "num_bytes": header.num_bytes}
        told = {"path": str(path), "sha256": sha256, **sizes, "made_by": made_by}
        echo_json({**told, "token_ids": list(header.token_ids)})
        return
    click.echo(f"{count(len(header.token_ids), 'token')}, {header.num_bytes / 1e6:.1f} MB")
    lines = {"sha256": sha256, **made_by}
    columns = max(map(len, lines))
    for name, value in lines.items():
        click.echo(f"{name:<{columns}} {value}")


def _asked(
    prompt: str | None,
    file: Path | None,
    system: str | None,
    system_file: Path | None,
    parse_special: bool,
) -> dict[str, Any]:
    """What is to be kept, as arguments of `LLM.save_prefix`; UsageError if it is said twice."""
    if system is None and system_file is None:
        return {"prompt": read_prompt(prompt, file), "parse_special": parse_special}
    if prompt is not None or file is not None or parse_special:
        message = "--system and --system-file are in place of a prompt: give one of them"
        raise click.UsageError(message, click.get_current_context())
    if system is not None and system_file is not None:
        message = "give --system or --system-file, not both"
        raise click.UsageError(message, click.get_current_context())
    text = read_prompt(system, system_file)
    return {"messages": [{"role": "system", "content": text}]}


def _tell(kept: KeptPrefix, verb: str, *, as_json: bool) -> None:
    if as_json:
        echo_json(kept.to_dict())
        return
    size = f"{kept.num_bytes / 1e6:.1f} MB"
    click.secho(f"{count(kept.num_tokens, 'token')} {verb} in {kept.path}, {size}", err=True)
