"""`foretell infill`: fill the gap between two texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.cli.commands.generate import print_json, write_chunks
from foretell.cli.options import (
    JSON_OPTION,
    MODEL_OPTIONS,
    SETTING_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    read_prompt,
    warn,
    with_options,
)
from foretell.config import GenerationConfig
from foretell.config.defaults import TERMINAL_TOKENS, states_length
from foretell.inputs.infill import infill_request

GAP = "<FILL_ME>"


@click.command(cls=SettingsCommand)
@click.argument("text", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="Read TEXT from a file.")
@click.option(
    "--gap", default=GAP, show_default=True, help="What stands in TEXT where the gap is, once."
)
@with_options(*MODEL_OPTIONS, *SETTING_OPTIONS, JSON_OPTION)
def command(
    text: str | None,
    file: Path | None,
    gap: str,
    model: ModelChoice,
    as_json: bool,
    **settings: Any,
) -> None:
    """Fill the gap in TEXT, and print what fills it.

    The model must have tokens for a gap, as Qwen2.5-Coder, StarCoder, Code Llama, DeepSeek-Coder
    and CodeGemma do. A gap takes 256 tokens at most, if no length is stated. Without a text, or
    with -, it is read from stdin.

    \b
    Examples:
      foretell infill $'def add(a, b):\\n    return <FILL_ME>' --model qwen2.5-coder.gguf
      foretell infill --file program.py --gap "# TODO" --max-new-tokens 60
    """
    config = GenerationConfig().override(**given(settings))
    prefix, suffix = _parts(read_prompt(text, file), gap)
    warn(config)
    with load(model) as llm:
        ids, own = infill_request(llm.tokenizer, prefix, suffix, config, {})
        length = None if states_length(config) else TERMINAL_TOKENS
        chunks = llm._stream(ids, config, own, parse_special=False, default_length=length)
        if as_json:
            print_json(chunks)
        else:
            write_chunks(chunks, config)


def _parts(text: str, gap: str) -> tuple[str, str]:
    if not gap or text.count(gap) != 1:
        raise click.UsageError(
            f"the text has {text.count(gap) if gap else 0} gaps {gap!r}: must have one",
            click.get_current_context(),
        )
    prefix, _, suffix = text.partition(gap)
    return prefix, suffix
