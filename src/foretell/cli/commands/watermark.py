"""`foretell watermark`: whether a text bears a watermark."""

from __future__ import annotations

from pathlib import Path

import click

from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    PROMPT_OPTIONS,
    ModelChoice,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_view
from foretell.cli.settings import SINGLE, WATERMARK_FORM
from foretell.config.validators import Watermark
from foretell.config.values import Notation


@click.command()
@with_options(*PROMPT_OPTIONS, *MODEL_OPTIONS)
@click.option(
    "--watermark",
    type=SINGLE[Notation.WATERMARK],
    default="on",
    show_default=True,
    metavar=WATERMARK_FORM,
    help="What the text may have been generated with: greenlist_ratio, bias, hashing_key, "
    "seeding_scheme, context_width.",
)
@click.option(
    "--z-threshold",
    type=float,
    default=3.0,
    show_default=True,
    help="Above it, the text counts as marked.",
)
@click.option(
    "--ignore-repeated-ngrams", is_flag=True, help="Equal tokens in equal places count once."
)
@with_options(JSON_OPTION)
def command(
    prompt: str | None,
    file: Path | None,
    parse_special: bool,
    model: ModelChoice,
    watermark: Watermark,
    z_threshold: float,
    ignore_repeated_ngrams: bool,
    as_json: bool,
) -> None:
    """Tell whether the text PROMPT bears a watermark.

    Counts the tokens that a watermark makes likelier, and says how far their number is from what
    chance gives. The text is best without the prompt that it goes on from. MODEL must have the
    vocabulary, and --watermark the key, with which it was generated; the model does not run.

    \b
    Examples:
      foretell generate "Once upon a time" --watermark on --max-new-tokens 200 | foretell watermark
      foretell watermark --file essay.txt --watermark hashing_key=2718281 --json
    """
    text = read_prompt(prompt, file)
    with load(model) as llm:
        found = llm.detect_watermark(
            llm.tokenizer.encode(text, parse_special=parse_special),
            watermark=watermark,
            z_threshold=z_threshold,
            ignore_repeated_ngrams=ignore_repeated_ngrams,
        )
    echo_view(found, as_json=as_json)
