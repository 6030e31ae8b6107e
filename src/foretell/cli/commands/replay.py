"""`foretell replay`: a text made again from its receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.completion import complete_model
from foretell.cli.interrupts import ExitsAtOnce
from foretell.cli.options import JSON_OPTION, MODEL_OPTIONS, ModelChoice, load, with_options
from foretell.cli.render import echo_json
from foretell.errors import ConfigError, ReceiptError, RequestError
from foretell.utils.quoting import TEXT, escape, quote

if TYPE_CHECKING:
    from foretell.analysis.replay import Replay
    from foretell.llm import LLM
    from foretell.receipts import ModelFacts, Receipt

EXIT_DIFFERS = 3
"""A text differs: neither of the codes by which errors end."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--model",
    "-m",
    default="",
    metavar="NAME|PATH",
    shell_complete=complete_model,
    help="What to make it again with.  [default: the receipt's, if that is a name of "
    "`foretell models`]",
)
@with_options(*MODEL_OPTIONS[1:], JSON_OPTION)
def command(file: Path, model: ModelChoice, as_json: bool) -> None:
    """Make the text of a receipt again, and compare it.

    FILE has a receipt, or several: what `foretell generate --receipt` writes, Python's
    `output.receipt.save()`, or the server where a request has "return_receipt": true.

    It says "identical", or names the first token that differs, with the likeliest tokens there,
    then and now. That the model or foretell is another is told first, and the text is made again
    all the same: so it shows whether that matters. No file is opened that the receipt names.

    Options of the model that change its numbers are those of the receipt, unless they are given.
    Exit codes: 0 for identical, 3 where a text differs, 1 and 2 for errors.

    \b
    Examples:
      foretell generate "Once" --temperature 0.8 --max-new-tokens 200 --receipt receipt.json
      foretell replay receipt.json
      foretell replay receipt.json --model ./model.gguf --json
    """
    with ExitsAtOnce():
        from foretell.receipts import load_receipts

    receipts = load_receipts(file)
    told: list[dict[str, Any]] = []
    num_same = 0
    for number, (receipt, view) in enumerate(_replays(receipts, model, escape(file)), 1):
        num_same += view.identical
        if as_json:
            told.append(_told(view, receipt))
        else:
            _show(view, _title(number, receipts))
    if as_json:
        echo_json(told if len(told) > 1 else told[0])
    if num_same < len(receipts):
        raise click.exceptions.Exit(EXIT_DIFFERS)


def _replays(
    receipts: Sequence[Receipt], model: ModelChoice, source: str
) -> Iterator[tuple[Receipt, Replay]]:
    """Each receipt, and what came of it; a model is open as long as receipts name the same."""
    for facts, group in groupby(enumerate(receipts, 1), key=lambda one: one[1].model):
        with load(_choice(model, facts)) as llm:
            for number, receipt in group:
                yield receipt, _replay(llm, receipt, f"{source}: {_title(number, receipts)}")


def _title(number: int, receipts: Sequence[Receipt]) -> str:
    return f"receipt {number}: " if len(receipts) > 1 else ""


def _replay(llm: LLM, receipt: Receipt, source: str) -> Replay:
    """Make it again; ReceiptError, naming its file, where its settings or prompt are at fault."""
    try:
        return llm.replay(receipt)
    except (ConfigError, RequestError) as error:
        raise ReceiptError(f"{source}{error}") from None


def _choice(wanted: ModelChoice, facts: ModelFacts) -> ModelChoice:
    """The model to open: what the user says, and the receipt's options where nothing is said."""
    from foretell.loading.options import OPTIONS

    for name in facts.options:
        if name not in OPTIONS or not OPTIONS[name].changes_numbers:
            raise ReceiptError(f"model.options.{escape(name)}: no such option can be in a receipt")
    return ModelChoice(wanted.name or _known(facts), {**facts.options, **wanted.settings})


def _known(facts: ModelFacts) -> str:
    """The receipt's model, by a name that foretell knows; a stranger's path is not opened."""
    from foretell.hub import known_models

    if facts.name is None or facts.name not in {one.name for one in known_models()}:
        what = "an object" if facts.name is None else quote(facts.name, TEXT)
        digest = "" if facts.sha256 is None else f" (sha256 {facts.sha256})"
        raise click.UsageError(
            f"the receipt's model was {what}{digest}: say with --model where it is",
            click.get_current_context(),
        )
    return facts.name


def _show(view: Replay, title: str) -> None:
    for sentence in view.changed:
        click.echo(f"{title}{sentence}", err=True)
    click.echo(f"{title}{view.verdict}")


def _told(view: Replay, receipt: Receipt) -> dict[str, Any]:
    """What there is to say, with the text as it came now."""
    found = view.to_dict()
    output = found.pop("output")
    told = {name: output[name] for name in ("text", "token_ids", "finish_reason", "stop_reason")}
    return {**found, "seed": receipt.seed, "now": told}
