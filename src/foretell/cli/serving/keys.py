"""The keys of a server, from options, a file and the environment."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import click

from foretell.errors import ConfigError
from foretell.server.options import check_key

VARIABLE = "FORETELL_API_KEY"


def read_keys(given: tuple[str, ...], file: Path | None) -> tuple[str, ...]:
    """All keys: those given, those of the file, and that of the environment.

    Raises:
        ConfigError: one is empty or no word of visible ASCII, or the file has none.
    """
    keys = [check_key(key, "--api-key") for key in given]
    if file is not None:
        keys += _keys_of(file)
    if VARIABLE in os.environ:
        keys.append(check_key(os.environ[VARIABLE], f"${VARIABLE}"))
    return tuple(dict.fromkeys(keys))


def _keys_of(file: Path) -> list[str]:
    """One a line; empty lines and those that begin with `#` are none."""
    lines = enumerate(file.read_text("utf-8", errors="replace").splitlines(), start=1)
    stripped = [(number, line.strip()) for number, line in lines]
    keys = [
        check_key(line, f"line {number} of {file}")
        for number, line in stripped
        if line and not line.startswith("#")
    ]
    if not keys:
        raise ConfigError(f"{file} has no key: must have one a line")
    return keys


def _gather(command: Any) -> Any:
    """Let a command take all keys at once."""

    @functools.wraps(command)
    def call(api_keys: tuple[str, ...], api_key_file: Path | None, **others: Any) -> Any:
        return command(keys=read_keys(api_keys, api_key_file), **others)

    return call


KEY_OPTIONS = (
    click.option(
        "--api-key",
        "api_keys",
        multiple=True,
        metavar="KEY",
        help="A key that requests must bring; other users of this machine can see it here.  "
        f"[repeatable; default: ${VARIABLE}]",
    ),
    click.option(
        "--api-key-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A file of such keys, one a line; lines that begin with # are comments.",
    ),
    _gather,
)
"""A command is given all keys, of all sources, as `keys`."""
