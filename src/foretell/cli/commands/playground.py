"""`foretell playground`: a model behind the page on which its choices are seen."""

from __future__ import annotations

from typing import Any

import click

from foretell.cli.options import MODEL_OPTIONS, ModelChoice, with_options
from foretell.cli.serving.browser import show
from foretell.cli.serving.place import LOOPBACK, Place, port_option
from foretell.cli.serving.start import (
    DEFAULTS_OPTIONS,
    MODEL_ARGUMENT,
    choose_model,
    require_libraries,
    start,
)
from foretell.cli.serving.streams import hold_standard_streams
from foretell.server.options import ServerOptions, called


@click.command()
@with_options(
    MODEL_ARGUMENT,
    *MODEL_OPTIONS,
    port_option(default=0),
    click.option(
        "--browser/--no-browser",
        "has_browser",
        default=True,
        show_default=True,
        help="Open the page in the browser once the model is there.",
    ),
    *DEFAULTS_OPTIONS,
)
def command(
    name: str | None,
    model: ModelChoice,
    port: int,
    has_browser: bool,
    preset: str | None,
    **others: Any,
) -> None:
    """Try a model in the browser, and see each of its choices.

    Serves the model on this machine alone, as `foretell serve` does, and opens its page: what may
    follow each token and how likely it is, what each setting does to that, and the roads not taken.
    Ctrl-C ends it. What it says goes to stderr.

    \b
    Examples:
      foretell playground
      foretell playground gemma-3-270m
      foretell playground path/to/model.gguf --threads 2
      foretell playground --no-browser --port 8080
    """
    hold_standard_streams()
    require_libraries()
    chosen = choose_model(name, model)
    place = Place(LOOPBACK, port)
    options = ServerOptions(
        model_names=(called(chosen.name),),
        allowed_hosts=place.check(has_keys=False),
        defaults={"preset": preset} if preset else {},
        **others,
    )
    listeners = place.listen()
    opened = (lambda: show(f"{listeners.url}/", options)) if has_browser else None
    start(chosen, options, listeners, opened)
