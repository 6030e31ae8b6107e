"""Numbers and tokens as a terminal shows them."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from foretell.outputs import GenerationOutput, JsonMixin, Usage, show_settings
from foretell.utils.display import count, pad, show_probability, show_token, width_of
from foretell.utils.terminal import STEERING, is_terminal, printable
from foretell.utils.token_tables import Look

__all__ = [
    "answer_line",
    "echo_json",
    "echo_view",
    "for_stdout",
    "pad",
    "show_probability",
    "show_settings",
    "show_token",
    "statistics_line",
    "terminal_columns",
    "terminal_look",
    "width_of",
]


def terminal_look() -> Look:
    """In colours, and as wide as the terminal."""
    return Look(terminal_columns(), partial(click.style, fg="cyan"), partial(click.style, dim=True))


ENDS = {
    "token": "a stop token",
    "string": "a stop string",
    "regex": "a stop regex",
    "grammar": "the form",
    "loop": "repetition",
    "criteria": "stopping criteria",
    "max_time": "time",
}
"""What ended a text, by the kind of rule; for other rules the finish reason says enough."""


def statistics_line(outputs: Sequence[GenerationOutput]) -> str:
    """How much was read and written, how fast, why it ended, and the settings in force.

    The outputs are the samples of one prompt, at least one.
    """
    usages = [output.usage for output in outputs]
    num_written = sum(usage.completion_tokens for usage in usages)
    parts = [
        f"{_tokens_read(usages[0])} + {count(num_written, 'token')}",
        *_times(usages, searches=outputs[0].config.num_beams > 1),
    ]
    ends = Counter(_end_of(output) for output in outputs)
    if len(ends) == 1:
        parts.append(f"ended by {next(iter(ends))}")
    else:
        parts += [f"{number} ended by {end}" for end, number in ends.items()]
    settings = show_settings(outputs[0].config)
    return ", ".join(parts) + (f" ({settings})" if settings else "")


def answer_line(output: GenerationOutput) -> str:
    """How long an answer of a chat is and how fast it came, shortly; why it ended, if not usual."""
    parts = [count(output.usage.completion_tokens, "token")]
    if output.usage.tokens_per_second:
        parts.append(f"{output.usage.tokens_per_second:.1f} tokens/s")
    if output.finish_reason == "length" or output.stop_reason is not None:
        end = _end_of(output)
        parts += [f"ended by {end}"] if end != "end of sequence" else []
    return ", ".join(parts)


def echo_view(view: JsonMixin, *, as_json: bool) -> None:
    """Print what an analysis has found: as JSON, or as `str()` shows it."""
    if as_json:
        echo_json(view.to_dict())
    else:
        click.echo(str(view))


def echo_json(data: Any) -> None:
    """Print data as one line of JSON; on a terminal, with what would steer it escaped."""
    text = json.dumps(data, ensure_ascii=False)
    if is_terminal(sys.stdout):
        text = STEERING.sub(lambda match: json.dumps(match[0])[1:-1], text)
    click.echo(text)


def for_stdout(text: str) -> str:
    """A model's text as it stands; on a terminal, with what would steer it escaped."""
    return printable(text, keep="\n\t") if is_terminal(sys.stdout) else text


def _tokens_read(usage: Usage) -> str:
    cached = f" ({usage.cached_tokens} cached)" if usage.cached_tokens else ""
    return f"{usage.prompt_tokens}{cached}"


def _times(usages: Sequence[Usage], *, searches: bool) -> list[str]:
    """How long it took; a search emits tokens once they are final, many at its end."""
    if searches:
        seconds = max(usage.time_to_first_token + usage.decode_seconds for usage in usages)
        return [f"after {seconds:.2f} s"]
    parts = [f"first after {min(usage.time_to_first_token for usage in usages):.2f} s"]
    speed = _decode_speed(usages)
    return [*parts, f"then {speed:.1f} tokens/s"] if speed else parts


def _decode_speed(usages: Sequence[Usage]) -> float:
    """Tokens a second after the first of each, all samples together; 0 if there are none."""
    if len(usages) == 1:
        return usages[0].tokens_per_second
    seconds = max(usage.decode_seconds for usage in usages)
    later = sum(usage.completion_tokens - 1 for usage in usages)
    return later / seconds if seconds > 0 else 0.0


def _end_of(output: GenerationOutput) -> str:
    usual = "length" if output.finish_reason == "length" else "end of sequence"
    return usual if output.stop_reason is None else ENDS.get(output.stop_reason.kind, usual)


def terminal_columns() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns
