"""`foretell demo`: watch the default model write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from foretell.cli.commands.generate import write_chunks
from foretell.cli.options import MODEL_OPTIONS, ModelChoice, load, with_options
from foretell.cli.render import show_settings, terminal_look
from foretell.config import GenerationConfig
from foretell.outputs import distribution_lines
from foretell.utils.terminal import printable

if TYPE_CHECKING:
    from foretell.backends.base import BackendInfo
    from foretell.outputs import Usage

PROMPT = "The cat sat on the"
SETTINGS = GenerationConfig(max_new_tokens=120, temperature=0.8, top_k=50, top_p=0.9, seed=10)


@click.command()
@with_options(*MODEL_OPTIONS)
def command(model: ModelChoice) -> None:
    """Fetch the default model if need be, and watch it write.

    \b
    Examples:
      foretell demo
      foretell demo --threads 1
      foretell demo --model path/to/model.gguf
    """
    from foretell.cli.measure import measure_bandwidth

    with load(model) as llm:
        click.secho(printable(llm.info.description), dim=True)
        click.secho(f"\nWhat follows “{PROMPT}”?\n", bold=True)
        found = llm.next(PROMPT)
        for line in distribution_lines(found, terminal_look()):
            click.echo(line)
        click.secho(f"\nIt writes, with {show_settings(SETTINGS)}:\n", bold=True)
        click.secho(PROMPT, nl=False, bold=True)
        (output,) = write_chunks(llm.stream(PROMPT, SETTINGS), SETTINGS)
        info = llm.info
    click.secho(f"\n{speed_line(output.usage, info, measure_bandwidth(info.threads))}", bold=True)


def speed_line(usage: Usage, info: BackendInfo, bandwidth: float) -> str:
    """Decode speed, and what it takes of the memory's read bandwidth (bytes a second)."""
    speed = usage.tokens_per_second
    if not speed:
        return "too few tokens to measure a speed"
    parts = [f"{speed:.1f} tokens/s", f"{1000 / speed:.2f} ms/token"]
    if info.weight_bytes:
        rate = info.weight_bytes * speed
        share = f"{rate / bandwidth:.0%} of this machine's {bandwidth / 1e9:.1f} GB/s"
        parts += [f"{rate / 1e9:.1f} GB/s", share]
    return ", ".join(parts)
