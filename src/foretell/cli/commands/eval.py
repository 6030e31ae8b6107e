"""`foretell eval`: lm-evaluation-harness, run on a model of foretell's."""

from __future__ import annotations

import json
import sys

import click

from foretell.cli.options import MODEL_OPTIONS, ModelChoice, with_options
from foretell.errors import ConfigError
from foretell.utils.extras import how_to_install

OTHERS = ("ls", "validate")
"""What else than to run tasks the harness can do; no model is needed for it."""


@click.command(context_settings={"ignore_unknown_options": True})
@with_options(*MODEL_OPTIONS)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS OF LM-EVAL]...")
def command(model: ModelChoice, arguments: tuple[str, ...]) -> None:
    """Run tasks of lm-evaluation-harness on a model.

    Options that are not listed below are the harness's own: --tasks, --num_fewshot, --limit,
    --apply_chat_template, --output_path, --include_path and so on; `foretell eval run --help` lists
    them, and `foretell eval ls tasks` the tasks. It needs the extra "eval".

    Likelihoods are computed of the continuations alone, and what contexts have in common is
    computed once; there is no batch size to be found.

    \b
    Examples:
      foretell eval -m smollm2-135m-instruct --tasks arc_easy --limit 100
      foretell eval -m model.gguf --tasks gsm8k --apply_chat_template --output_path results/
      foretell eval --tasks my_task --include_path ./tasks
    """
    try:
        from lm_eval.__main__ import cli_evaluate  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ConfigError(
            f"foretell eval needs lm-evaluation-harness: run {how_to_install('eval')}"
        ) from None
    import foretell.evaluation.harness  # noqa: F401  it registers the model

    sys.argv = ["lm-eval", *_arguments(model, arguments)]
    cli_evaluate()


def _arguments(model: ModelChoice, arguments: tuple[str, ...]) -> list[str]:
    """The harness's command line: its own words, and the model that they are to run on."""
    if arguments[:1] and arguments[0] in OTHERS:
        return [*arguments]
    words = list(arguments[1:] if arguments[:1] == ("run",) else arguments)
    names = {"device": "torch_device"}  # the harness passes a device of its own
    options = {names.get(name, name): value for name, value in model.settings.items()}
    told = json.dumps({"pretrained": model.name, **options})
    return ["run", "--model", "foretell", "--model_args", told, *words]
