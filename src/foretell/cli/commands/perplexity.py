"""`foretell perplexity`: the perplexity of a text, by a convention that is named."""

from __future__ import annotations

from pathlib import Path

import click

from foretell.cli.evaluating import EVALUATION_OPTIONS, EXACT, opened_for
from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    ModelChoice,
    load,
    read_prompt,
    with_options,
)
from foretell.cli.render import echo_json
from foretell.utils.progress import is_watched

CONVENTIONS = ("llama.cpp", "huggingface", "lm-eval")


@click.command()
@with_options(*EVALUATION_OPTIONS)
@click.option(
    "--convention",
    type=click.Choice(CONVENTIONS),
    default=CONVENTIONS[0],
    show_default=True,
    help="How the text is cut, and what is scored of it.",
)
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    help="By how many tokens each of huggingface's windows begins later.  [default: 512]",
)
@with_options(*MODEL_OPTIONS, JSON_OPTION)
def command(
    file: Path,
    convention: str,
    window: int | None,
    stride: int | None,
    max_windows: int | None,
    exact: bool,
    model: ModelChoice,
    as_json: bool,
) -> None:
    """Tell the perplexity of a text.

    It is that of the text in FILE, with its standard error. A figure depends on how much of the
    text stands before each token, so conventions differ, and only figures of one convention can be
    compared. llama.cpp: windows of 512 tokens, of each the second half. huggingface: windows of the
    model's context, each beginning a stride later, of each what is new. lm-eval: every token once,
    in windows of the model's context; also by word and byte. With - as FILE, the text is read from
    stdin; one newline at its end is not part of it.

    \b
    Examples:
      foretell perplexity wiki.test.raw
      foretell perplexity wiki.test.raw -m model-q4_0.gguf --max-windows 20
      foretell perplexity essay.txt --convention huggingface --window 1024 --stride 256
      foretell perplexity essay.txt --convention lm-eval --json
    """
    from foretell.evaluation.perplexity import perplexity

    text = read_prompt(None, file)
    chosen = ModelChoice(model.name, {**model.settings, **(EXACT if exact else {})})
    with load(opened_for(chosen, window) if convention == CONVENTIONS[0] else chosen) as llm:
        found = perplexity(
            llm,
            text,
            convention,
            window=window,
            stride=stride,
            max_windows=max_windows,
            progress=is_watched(),
        )
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(str(found))
