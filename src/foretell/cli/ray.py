"""The option of the commands that may run on Ray."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from foretell.utils.quoting import quote


def ray_option(what: str) -> Callable[[Any], Any]:
    """Which cluster has `what`, as `address`: "" is any, None is none."""
    return click.option(
        "--ray",
        "address",
        is_flag=False,
        flag_value="",
        callback=_check,
        metavar="[ADDRESS]",
        help=f"Let a Ray cluster have {what}: host:port, or auto for one that runs here, or local "
        "for a new one; without ADDRESS, one that runs here or else a new one.",
    )


def _check(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The address, unless it is a file, as where the option stands before an argument."""
    if value and os.path.exists(value):
        raise click.BadParameter(
            f"{quote(value)} is a file here, and no address: put --ray behind it", context
        )
    return value
