"""What the commands that serve a model do alike: which model, with which libraries, and so on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from foretell.cli.completion import complete_model
from foretell.cli.interrupts import ExitsAtOnce
from foretell.cli.options import ModelChoice
from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.errors import ConfigError, SettingWarning
from foretell.utils.extras import how_to_install

if TYPE_CHECKING:
    from foretell.server.listening import Listeners
    from foretell.server.options import ServerOptions

NEEDED = ("starlette", "uvicorn", "prometheus_client")

MODEL_ARGUMENT = click.argument(
    "name", required=False, metavar="[MODEL]", shell_complete=complete_model
)

DEFAULTS_OPTIONS = (
    click.option(
        "--preset",
        type=click.Choice([*PRESETS, MODEL_PRESET]),
        metavar="NAME",
        help="Settings of requests that do not say how tokens are chosen.  "
        "[default: temperature 1, as OpenAI]",
    ),
    click.option(
        "--max-new-tokens",
        type=click.IntRange(min=1),
        metavar="INTEGER",
        help="Most tokens of an answer where its request states no length.  "
        "[default: as many as the context has room for; completions: 16]",
    ),
)


def require_libraries() -> None:
    """ConfigError if a library of servers is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        command = click.get_current_context().command_path
        raise ConfigError(f"{command} needs {names}: run {how_to_install('serve')}")


def choose_model(name: str | None, model: ModelChoice) -> ModelChoice:
    """The model of the argument, or of the option; UsageError where there are both."""
    if name is None:
        return model
    context = click.get_current_context()
    if context.get_parameter_source("model") != ParameterSource.DEFAULT:
        raise click.UsageError("give MODEL or --model, not both", context)
    return ModelChoice(name, model.settings)


def start(
    model: ModelChoice,
    options: ServerOptions,
    listeners: Listeners,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve the model until a signal comes; `on_ready` is called once it is there."""
    with ExitsAtOnce():
        from foretell.async_llm import AsyncLLM
        from foretell.server.serving import serve
    warnings.simplefilter("ignore", SettingWarning)  # the clients' settings are not this shell's
    serve(AsyncLLM(model.name, **model.settings), options, listeners, on_ready)
