"""`foretell bench`: how fast this machine runs a model, beside what its memory could give."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from foretell import __version__
from foretell.cli.options import MODEL_OPTIONS, ModelChoice, load, with_options
from foretell.cli.render import echo_json
from foretell.utils.display import count
from foretell.utils.terminal import printable

if TYPE_CHECKING:
    from rich.table import Table

    from foretell.cli.measure import Speculated, Speeds, Spread
    from foretell.llm import LLM

PROMPT = "The cat sat on the mat, looked out of the window and thought about the rain."

REMARK_COLUMNS = 72
"""On a terminal of fewer, the figures stand alone."""


@dataclass(frozen=True)
class Report:
    """All that the command prints; `bandwidth` in bytes per second, `peak_memory` in bytes."""

    model: str
    description: str
    threads: int
    num_tokens: int
    num_prompt_tokens: int
    num_rounds: int
    load_seconds: float
    speeds: Speeds
    bandwidth: float
    peak_memory: int | None
    logits_sha256: str
    speculated: Speculated | None = None

    @property
    def bandwidth_share(self) -> float:
        """Bytes that decoding reads each second over what the memory gives when only read."""
        return self.speeds.decode_bytes_per_second / self.bandwidth

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of the last line; units stand in the names."""
        return {
            "foretell": __version__,
            "model": self.model,
            "description": self.description,
            "threads": self.threads,
            "tokens": self.num_tokens,
            "prompt_tokens": self.num_prompt_tokens,
            "rounds": self.num_rounds,
            "load_seconds": self.load_seconds,
            "prefill_tokens_per_second": self.speeds.prefill.to_dict(),
            "decode_tokens_per_second": self.speeds.decode.to_dict(),
            "time_to_first_token_seconds": self.speeds.time_to_first_token.to_dict(),
            "bytes_per_token": self.speeds.bytes_per_token,
            "decode_bytes_per_second": self.speeds.decode_bytes_per_second,
            "bandwidth_bytes_per_second": self.bandwidth,
            "bandwidth_share": self.bandwidth_share,
            "peak_memory_bytes": self.peak_memory,
            "logits_sha256": self.logits_sha256,
            "speculation": None if self.speculated is None else self.speculated.to_dict(),
        }


@click.command()
@with_options(*MODEL_OPTIONS)
@click.option(
    "--tokens",
    type=click.IntRange(min=2),
    metavar="INTEGER",
    default=128,
    show_default=True,
    help="Tokens to decode in a round.",
)
@click.option(
    "--prompt-tokens",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    default=512,
    show_default=True,
    help="Tokens of the prompt that a round prefills.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    default=5,
    show_default=True,
    help="Rounds that are measured, after one to warm up.",
)
def command(model: ModelChoice, tokens: int, prompt_tokens: int, rounds: int) -> None:
    """Measure speed, memory use, and the share of the bandwidth.

    That is the speed of prefill and of decoding, and what decoding takes of the speed at which this
    machine's memory can be read. A table goes to stderr; the last line, on stdout, is one JSON
    object.

    \b
    Examples:
      foretell bench
      foretell bench --threads 1 --rounds 9
      foretell bench --speculation lookup
      foretell bench --model path/to/model.gguf --tokens 256 --prompt-tokens 1000
      foretell bench 2>/dev/null | python -m json.tool

    The hash of the logits is the same for the same model and settings, whatever the threads and
    the instruction set (FORETELL_ISA). Nothing is guessed ahead, unless --speculation is given: its
    speed is then shown too. The text repeats itself, which flatters.
    """
    from rich.console import Console

    console = Console(stderr=True)
    start = time.perf_counter()
    with load(model) as llm:
        load_seconds = time.perf_counter() - start
        with console.status(f"measuring, {count(rounds, 'round')}"):
            report = _measure(llm, model.name, load_seconds, tokens, prompt_tokens, rounds)
            if model.settings.get("speculation") is not None:
                report = replace(report, speculated=_speculated(llm, tokens, rounds))
    console.print(_table(report, with_remarks=console.width >= REMARK_COLUMNS))
    echo_json(report.to_dict())


def _measure(
    llm: LLM, model: str, load_seconds: float, tokens: int, prompt_tokens: int, rounds: int
) -> Report:
    from foretell.cli.measure import hash_logits, measure_bandwidth, measure_speeds, peak_memory

    prompt = llm.tokenizer.encode(PROMPT)
    return Report(
        model=model,
        description=llm.info.description,
        threads=llm.info.threads,
        num_tokens=tokens,
        num_prompt_tokens=prompt_tokens,
        num_rounds=rounds,
        load_seconds=load_seconds,
        speeds=measure_speeds(
            llm.backend, prompt, tokens=tokens, prompt_tokens=prompt_tokens, rounds=rounds
        ),
        peak_memory=peak_memory(),  # before the bandwidth's own buffer
        logits_sha256=hash_logits(llm.backend, prompt),
        bandwidth=measure_bandwidth(llm.info.threads),
    )


def _speculated(llm: LLM, tokens: int, rounds: int) -> Speculated:
    from foretell.cli.measure import measure_speculation

    prompt = llm.tokenizer.encode(PROMPT)
    return measure_speculation(llm, prompt, tokens=tokens, rounds=rounds)


def _table(report: Report, *, with_remarks: bool) -> Table:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE, show_header=False, title=escape(printable(report.description)))
    for name, value, remark in _rows(report):
        table.add_row(name, value, *([remark] if with_remarks else []), style="")
    table.columns[1].justify = "right"
    return table


def _rows(report: Report) -> list[tuple[str, str, str]]:
    speeds = report.speeds
    first = speeds.time_to_first_token
    memory = "unknown" if report.peak_memory is None else f"{report.peak_memory / 1e6:.0f} MB"
    return [
        ("decode", *_speed(speeds.decode)),
        *_speculation_rows(report.speculated),
        ("prefill", *_speed(speeds.prefill)),
        ("time to first token", f"{1e3 * first.median:.1f} ms", "short prompt, model loaded"),
        ("memory read", *_memory_read(report)),
        ("load", f"{report.load_seconds:.2f} s", ""),
        ("peak memory", memory, ""),
        ("logits", report.logits_sha256[:16], "first digits of their sha256"),
    ]


def _speculation_rows(speculated: Speculated | None) -> list[tuple[str, str, str]]:
    if speculated is None:
        return []
    right = f"{speculated.accepted_tokens} of {count(speculated.draft_tokens, 'draft')} right"
    return [("with speculation", _speed(speculated.decode)[0], right)]


def _speed(spread: Spread) -> tuple[str, str]:
    return (
        f"{spread.median:.1f} tokens/s",
        f"{spread.min:.1f} to {spread.max:.1f}, {1e3 / spread.median:.2f} ms a token",
    )


def _memory_read(report: Report) -> tuple[str, str]:
    bandwidth = f"{report.bandwidth / 1e9:.1f} GB/s"
    rate = report.speeds.decode_bytes_per_second
    if not rate:
        return "unknown", f"this machine gives {bandwidth}"
    return f"{rate / 1e9:.1f} GB/s", f"{report.bandwidth_share:.0%} of this machine's {bandwidth}"
