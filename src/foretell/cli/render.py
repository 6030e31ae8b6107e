"""Numbers and tokens as a terminal shows them."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from foretell.outputs import (
    GenerationOutput,
    NextDistribution,
    Score,
    TokenLogprob,
    Usage,
    show_settings,
)
from foretell.utils.display import count, pad, show_probability, show_token, width_of
from foretell.utils.terminal import STEERING, is_terminal, printable

__all__ = [
    "answer_line",
    "bar",
    "distribution_lines",
    "distribution_summary",
    "echo_json",
    "for_stdout",
    "pad",
    "score_lines",
    "show_probability",
    "show_settings",
    "show_token",
    "statistics_line",
    "terminal_columns",
    "width_of",
]

EIGHTHS = " ▏▎▍▌▋▊▉"
MAX_LABEL = 24  # columns for a token


def bar(share: float, columns: int) -> str:
    """A bar as long as `share`, 0 to 1, of the columns, to an eighth of a column."""
    eighths = round(share * columns * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + EIGHTHS[rest]).rstrip()


def distribution_lines(found: NextDistribution) -> list[str]:
    """The distribution as bars, a token a line.

    With sampling settings, the raw probability is followed by what they make of it, and the bar
    shows the latter.
    """
    samples = found.config.is_sampling
    labels = [show_token(token.token) for token in found.tokens]
    shown = [token.final_probability if samples else token.probability for token in found.tokens]
    label_columns = min(MAX_LABEL, max(map(width_of, labels)))
    bar_columns = max(10, min(terminal_columns(), 100) - label_columns - 24)
    longest = max(shown)
    lines = []
    for label, token, share in zip(labels, found.tokens, shown, strict=True):
        figures = f"{show_probability(token.probability):>7}"
        if samples:
            figures += f" → {show_probability(share):>7}" if share else f" → {'cut':>7}"
        length = share / longest if longest else 0.0
        drawn = bar(length, bar_columns)
        line = f"  {pad(label, label_columns)}  {figures}"
        lines.append(f"{line}  {click.style(drawn, fg='cyan')}" if drawn else line)
    return lines


def distribution_summary(found: NextDistribution) -> str:
    """Entropy, and how many tokens stay possible, in one line."""
    text = f"entropy {found.entropy:.2f} nats over {found.vocab_size} tokens"
    if not found.config.is_sampling:
        return text
    return f"{text}; {found.candidates} left by {show_settings(found.config)}"


def score_lines(score: Score) -> list[str]:
    """A table of the tokens, their log-probabilities and ranks, then the sum and perplexity."""
    labels = [show_token(token.token) for token in score.tokens]
    label_columns = min(MAX_LABEL, max(7, *map(width_of, labels)))
    lines = [f"  {'token':<{label_columns}}  {'logprob':>9}  {'P':>8}  {'rank':>6}"]
    for label, token in zip(labels, score.tokens, strict=True):
        lines.append(f"  {pad(label, label_columns)}  {_score_figures(token)}".rstrip())
        lines += [_alternative_line(other, label_columns) for other in token.top]
    lines.append(f"  {pad('sum', label_columns)}  {score.logprob:9.3f}")
    lines.append(f"  perplexity {score.perplexity:.2f} over {count(score.num_scored, 'token')}")
    return lines


def _alternative_line(token: TokenLogprob, label_columns: int) -> str:
    label = pad(f"  {show_token(token.token)}", label_columns)
    return click.style(f"  {label}  {_score_figures(token)}", dim=True)


def _score_figures(token: TokenLogprob) -> str:
    if token.logprob is None:
        return f"{'-':>9}"
    return f"{token.logprob:9.3f}  {show_probability(math.exp(token.logprob)):>8}  {token.rank:6}"


ENDS = {
    "token": "a stop token",
    "string": "a stop string",
    "regex": "a stop regex",
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
