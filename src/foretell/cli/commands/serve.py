"""`foretell serve`: a model behind OpenAI's HTTP interface."""

from __future__ import annotations

from typing import Any

import click

from foretell.cli.options import MODEL_OPTIONS, ModelChoice, given, with_options
from foretell.cli.serving.keys import KEY_OPTIONS
from foretell.cli.serving.place import PLACE_OPTIONS, Place
from foretell.cli.serving.replicas import RAY_OPTIONS, start_on_ray, take_replicas
from foretell.cli.serving.start import (
    DEFAULTS_OPTIONS,
    MODEL_ARGUMENT,
    choose_model,
    require_libraries,
    start,
)
from foretell.cli.serving.streams import hold_standard_streams
from foretell.cli.serving.values import Seconds, check_words
from foretell.server.options import LOG_FORMATS, ServerOptions, called

MAX_WAITING = 512
OTHERS = ServerOptions()

REQUEST_OPTIONS = (
    click.option(
        "--served-model-name",
        "model_names",
        multiple=True,
        callback=check_words,
        metavar="NAME",
        help="What requests may call the model; answers bear the first.  "
        "[repeatable; default: the model's own name]",
    ),
    click.option(
        "--max-waiting",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        default=MAX_WAITING,
        show_default=True,
        help="Requests that may wait; further ones are answered with status 429.",
    ),
    click.option(
        "--max-running",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Texts that may be written at a time.  [default: 256]",
    ),
    *DEFAULTS_OPTIONS,
    click.option("--strict", is_flag=True, help="Refuse requests with unknown fields."),
)

LIFE_OPTIONS = (
    click.option(
        "--drain-delay",
        type=Seconds(),
        metavar="SECONDS",
        default=OTHERS.drain_delay,
        show_default=True,
        help="Serve on for so long after a signal to end, while /ready says no.",
    ),
    click.option(
        "--shutdown-timeout",
        type=Seconds(),
        metavar="SECONDS",
        default=OTHERS.shutdown_timeout,
        show_default=True,
        help="How long requests may then take to end.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(LOG_FORMATS),
        default=OTHERS.log_format,
        show_default=True,
        help="The form of the line that each request logs.",
    ),
    click.option("--log-prompts", is_flag=True, help="Log prompts, too."),
    click.option(
        "--log-probes",
        is_flag=True,
        help="Log all requests for /health, /ready and /metrics, not only those that fail.",
    ),
    click.option(
        "--playground/--no-playground",
        default=OTHERS.playground,
        show_default=True,
        help="Answer / with a page on which to try the model and look into its choices.",
    ),
)


@click.command()
@with_options(
    MODEL_ARGUMENT,
    *MODEL_OPTIONS,
    *PLACE_OPTIONS,
    *KEY_OPTIONS,
    *REQUEST_OPTIONS,
    *LIFE_OPTIONS,
    *RAY_OPTIONS,
)
def command(
    name: str | None, model: ModelChoice, place: Place, keys: tuple[str, ...], **others: Any
) -> None:
    """Serve a model over OpenAI's HTTP interface.

    Chats, completions and more under /v1, streamed or whole; /health, /ready and /metrics tell how
    the server is; / is the playground, a page on which to try the model. SIGTERM or Ctrl-C ends it
    once its requests have ended, a second one at once. What it says goes to stderr.

    \b
    Examples:
      foretell serve
      foretell serve gemma-3-270m --port 0 --threads 2
      foretell serve path/to/model.gguf --served-model-name gpt-4o-mini
      FORETELL_API_KEY=... foretell serve --host 0.0.0.0
      foretell serve --drain-delay 5 --shutdown-timeout 120 --log-format json
      foretell serve --ray --replicas 2 --max-replicas 8
    """
    hold_standard_streams()
    require_libraries()
    chosen = choose_model(name, model)
    replicas = take_replicas(others, chosen)
    allowed_hosts = place.check(has_keys=bool(keys))
    limits = given({name: others.pop(name) for name in ("max_waiting", "max_running")})
    preset = others.pop("preset")
    options = ServerOptions(
        model_names=others.pop("model_names") or (called(chosen.name),),
        api_keys=keys,
        allowed_hosts=allowed_hosts,
        cors_origins=place.cors_origins,
        defaults={"preset": preset} if preset else {},
        **others,
    )
    limited = ModelChoice(chosen.name, {**chosen.settings, **limits})
    if replicas is None:
        start(limited, options, place.listen())
    else:
        start_on_ray(replicas, limited, options, place.listen())
