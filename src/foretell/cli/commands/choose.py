"""`foretell choose`: one of several samples, and what speaks for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.analysis.choice import CHOSEN_BY, UTILITIES, config_of_samples
from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    RECEIPT_OPTION,
    SETTING_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    read_prompt,
    warn,
    with_options,
)
from foretell.cli.render import echo_view, statistics_line
from foretell.config.defaults import TERMINAL_TOKENS, states_length
from foretell.utils.files import check_place


@click.command(cls=SettingsCommand)
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS)
@click.option(
    "--by",
    type=click.Choice(CHOSEN_BY),
    default="mbr",
    show_default=True,
    help="The sample that agrees best with the others, whose answer most give, or the likeliest.",
)
@click.option(
    "--utility",
    type=click.Choice([*UTILITIES]),
    default="chrf",
    show_default=True,
    help="How samples are compared: by characters or by words.",
)
@click.option("--answer", metavar="REGEX", help="What the answer is: its last match.")
@with_options(*SETTING_OPTIONS, JSON_OPTION, RECEIPT_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    as_json: bool,
    receipt: Path | None,
    **settings: Any,
) -> None:
    """Draw several continuations of PROMPT, and choose one.

    The scores of all are shown.

    With --by mbr (minimum Bayes risk) it is the one that agrees best with the others, with majority
    (self-consistency) the likeliest of those whose answer most give, with likelihood the likeliest.
    There are 8 of at most 256 tokens, and they are drawn, if settings do not say it. How long it
    took stands on stderr, with the settings and the seed. --receipt has the text that
    was chosen.

    \b
    Examples:
      foretell choose "The capital of France is" --max-new-tokens 12 -n 12
      foretell choose "Q: What is 17 + 25? A:" --by majority --answer "\\d+" --temperature 0.8
    """
    how = {name: settings.pop(name) for name in ("by", "utility", "answer")}
    config = config_of_samples(None, given(settings))
    if not states_length(config):
        config = config.override(max_new_tokens=TERMINAL_TOKENS)
    if receipt is not None:
        check_place(receipt)
    text = read_prompt(prompt, file)
    warn(config)
    with load(model) as llm:
        found = llm.choose(text, config, parse_special=parse_special, **how)
        if receipt is not None:
            found.best.output.receipt.save(receipt)
    echo_view(found, as_json=as_json)
    click.secho(statistics_line([one.output for one in found.candidates]), err=True, dim=True)
