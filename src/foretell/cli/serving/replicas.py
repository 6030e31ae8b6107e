"""What `foretell serve` is told of replicas on Ray."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.interrupts import ExitsAtOnce
from foretell.cli.options import ModelChoice
from foretell.cli.ray import ray_option
from foretell.errors import SettingWarning

if TYPE_CHECKING:
    from foretell.server.listening import Listeners
    from foretell.server.options import ServerOptions

NAMES = ("replicas", "max_replicas", "target_requests")

RAY_OPTIONS = (
    ray_option("the models, while this process listens"),
    click.option(
        "--replicas",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Models on Ray, each with its own share of the CPUs.  [default: 1]",
    ),
    click.option(
        "--max-replicas",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Begin more of them as requests come, up to so many.",
    ),
    click.option(
        "--target-requests",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="How many requests each should have on average, where their number may change.  "
        "[default: 32]",
    ),
)


@dataclass(frozen=True)
class OnRay:
    """Which cluster, and how many replicas, as given."""

    address: str
    sizing: dict[str, int]


def take_replicas(others: dict[str, Any], model: ModelChoice) -> OnRay | None:
    """What the options say, which are taken out of the others; None: nothing is to be on Ray."""
    address = others.pop("address")
    given = {name: value for name in NAMES if (value := others.pop(name)) is not None}
    if address is not None:
        threads = model.settings.pop("threads", None)
        return OnRay(address, {**given, **({} if threads is None else {"threads": threads})})
    if given:
        flag = "--" + next(iter(given)).replace("_", "-")
        raise click.UsageError(f"{flag} is for --ray", click.get_current_context())
    return None


def start_on_ray(
    wanted: OnRay, model: ModelChoice, options: ServerOptions, listeners: Listeners
) -> None:
    """Serve the model by replicas until a signal comes."""
    with ExitsAtOnce():
        from foretell.scale.ray.cluster import import_ray
        from foretell.scale.ray.deployed import Sizing
        from foretell.scale.ray.serving import serve_on_ray

        import_ray()
    warnings.simplefilter("ignore", SettingWarning)  # as for any server
    sizing = Sizing(**wanted.sizing)
    serve_on_ray(wanted.address, model.name, model.settings, options, listeners, sizing)
