"""`foretell guide`: every setting, preset and dialect explained. No model is loaded."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.completion import complete_topic
from foretell.cli.options import JSON_OPTION, with_options
from foretell.cli.render import echo_json, show_token, terminal_columns
from foretell.cli.settings import flag_of, is_option
from foretell.config.dialects import DIALECTS
from foretell.config.presets import PRESETS
from foretell.config.settings import GROUPS, SETTINGS
from foretell.guide.relations import show_scope
from foretell.guide.topics import (
    DialectTopic,
    PresetTopic,
    SettingTopic,
    Topic,
    dialect_topic,
    example_of,
    find_topic,
    preset_topic,
    setting_topic,
)
from foretell.utils.token_tables import bar

if TYPE_CHECKING:
    from foretell.guide.worked import WorkedExample

NAME_COLUMNS, LEGAL_COLUMNS, USEFUL_COLUMNS = 22, 11, 15
Rows = Iterable[tuple[str, str]]


@click.command()
@click.argument("topic", required=False, shell_complete=complete_topic)
@with_options(JSON_OPTION)
def command(topic: str | None, as_json: bool) -> None:
    """Explain the settings, and what suits which task.

    TOPIC is a setting, a preset or a dialect; without one, all are listed.

    \b
    Examples:
      foretell guide
      foretell guide temperature
      foretell guide code
      foretell guide llama.cpp
      foretell guide --json | python -m json.tool
    """
    if topic is None:
        lines = overview_lines()
        found: dict[str, Any] = overview()
    else:
        known = find_topic(topic)
        example = example_of(known)
        lines = topic_lines(known) + (example_lines(example) if example else [])
        found = {**_plain(known), "example": example and dataclasses.asdict(example)}
    if as_json:
        echo_json(found)
    else:
        click.echo("\n".join(lines))


def overview() -> dict[str, list[dict[str, Any]]]:
    """All topics, ready for JSON."""
    return {
        "settings": [_plain(setting_topic(name)) for name in SETTINGS],
        "tasks": [_plain(preset_topic(name)) for name in PRESETS],
        "dialects": [_plain(dialect_topic(dialect)) for dialect in DIALECTS.values()],
    }


def _plain(topic: Topic) -> dict[str, Any]:
    kinds = {SettingTopic: "setting", PresetTopic: "preset", DialectTopic: "dialect"}
    return {"kind": kinds[type(topic)], **dataclasses.asdict(topic)}


def overview_lines() -> list[str]:
    """The table of settings by group, the settings per task, the dialects."""
    lines = []
    for group, names in GROUPS.items():
        lines += ["", *_group_lines(group, [setting_topic(name) for name in names])]
    lines += ["", *_task_lines()]
    lines += ["", _heading("Dialects")]
    for dialect in DIALECTS.values():
        defaults = show_values(dialect.defaults) or "greedy, or what is set and no more"
        lines += _wrapped(f"  {dialect.name:<14}{dialect.version:<12}not set: ", defaults)
    lines += ["", "`foretell guide TOPIC` says more on each of them."]
    return lines[1:]


def _group_lines(group: str, topics: list[SettingTopic]) -> list[str]:
    """Numbers as a table of ranges and effects, then the others with what they do."""
    numbers = [topic for topic in topics if topic.low_effect]
    lines = [_heading(group)]
    if numbers:
        lines += [click.style(_row("setting", "legal", "useful", "low → high"), dim=True)]
    for topic in numbers:
        useful = show_span(topic.useful) if topic.useful else ""
        effect = f"{topic.low_effect} → {topic.high_effect}"
        lines += _wrapped(_row(topic.name, topic.legal(), useful, ""), effect)
    others = [topic for topic in topics if not topic.low_effect]
    columns = max((len(topic.name) for topic in others), default=0)
    for topic in others:
        lines += _wrapped(f"  {topic.name:<{max(columns, NAME_COLUMNS - 2)}}  ", topic.meaning)
    return lines


def _row(name: str, legal: str, useful: str, effect: str) -> str:
    cells = f"{name:<{NAME_COLUMNS}}{legal:<{LEGAL_COLUMNS}}{useful:<{USEFUL_COLUMNS}}{effect}"
    return f"  {cells}"


def _task_lines() -> list[str]:
    head = _task_row("preset", "for", "temperature") + "settings"
    lines = [_heading("Settings per task"), click.style(head, dim=True)]
    for name in PRESETS:
        topic = preset_topic(name)
        span = show_span(topic.temperatures) if topic.temperatures else ""
        lines += _wrapped(_task_row(name, topic.task, span), show_values(topic.settings))
    return lines


def _task_row(name: str, task: str, span: str) -> str:
    return f"  {name:<10}{task:<28}{span:<12}"


def show_span(span: tuple[float, float]) -> str:
    """Bounds as people write them; a whole number keeps one decimal beside a fraction."""
    digits = [f"{bound:g}" for bound in span]
    if any("." in text for text in digits):
        digits = [text if "." in text or "e" in text else f"{text}.0" for text in digits]
    return " to ".join(digits)


def show_values(settings: Mapping[str, Any]) -> str:
    """Settings as `name=value`."""
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def _heading(text: str) -> str:
    return click.style(text, bold=True)


def topic_lines(topic: Topic) -> list[str]:
    """A page on one topic."""
    if isinstance(topic, SettingTopic):
        title, rows = topic.meaning, _setting_rows(topic)
    elif isinstance(topic, PresetTopic):
        title, rows = f"settings for {topic.task}: {topic.why}", _preset_rows(topic)
    else:
        title, rows = f"what settings mean in {topic.name}", _dialect_rows(topic)
    first, *more = _wrapped(f"{topic.name}: ", title)
    lines = [first.replace(topic.name, _heading(topic.name), 1), *more, ""]
    for label, text in rows:
        if text:
            lines += _wrapped(f"  {label:<12}  ", text)
    if isinstance(topic, SettingTopic) and topic.code:
        lines += ["", "For example:", "", *textwrap.indent(topic.code, "  ").splitlines()]
    return lines


def _setting_rows(topic: SettingTopic) -> Rows:
    yield "option", flag_of(topic.name) if is_option(topic.name) else ""
    yield "legal", topic.legal()
    yield "useful", show_span(topic.useful) if topic.useful else ""
    yield "neutral", "" if topic.neutral is None else f"{topic.neutral:g}"
    yield "if not set", "" if topic.if_not_set is None else f"{topic.if_not_set:g}"
    yield "low", topic.low_effect
    yield "high", topic.high_effect
    yield "formula", topic.formula
    yield "source", topic.source
    yield "forms", ", ".join(topic.forms)
    yield "called", topic.called
    for index, clause in enumerate(topic.contradictions):
        yield "" if index else "with others", clause
    yield from topic.dialects.items()


def _preset_rows(topic: PresetTopic) -> Rows:
    yield "settings", show_values(topic.settings)
    yield "temperature", show_span(topic.temperatures) if topic.temperatures else ""


def _dialect_rows(topic: DialectTopic) -> Rows:
    yield "version", topic.version
    yield "defaults", show_values(topic.defaults) or "none: greedy without sampling settings"
    yield "order", " → ".join(topic.order)
    ties = {"keep": "top-k keeps all that equal the k-th", "cut": "top-k cuts at k"}
    yield "ties", ties[topic.ties]
    yield "penalties", f"repetition looks back on {show_scope(topic.repetition_scope)}"
    yield "", f"frequency and presence look back on {show_scope(topic.count_scope)}"
    if topic.least_temperature:
        yield "temperature", f"at least {topic.least_temperature:g}, unless 0 (greedy)"


def _wrapped(label: str, text: str) -> list[str]:
    """The text after its label, wrapped beneath itself."""
    columns = max(40, min(terminal_columns(), 100) - 1)
    return textwrap.wrap(
        text,
        max(columns, len(label) + 24),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def example_lines(example: WorkedExample) -> list[str]:
    """The candidates as bars: before, then a column for each of the settings."""
    columns = [("before", example.before)]
    columns += [(_label(column.settings), column.probabilities) for column in example.after]
    longest = max(p for _, probabilities in columns for p in probabilities.values())
    labels = [label for label, _ in columns]
    longest_word = max(len(word) for label in labels for word in label.split())
    room = min(terminal_columns(), 100) - 12
    cell = max(14, longest_word + 2, room // len(columns))
    beside = max(1, room // cell)  # so many columns stand beside each other, the rest below
    written = f", after {' '.join(example.written)}" if example.written else ""
    lines = ["", f"Made-up candidates for {show_token(example.prompt)}{written}:", ""]
    for start in range(0, len(columns), beside):
        lines += [""] * bool(start)
        lines += _bar_lines(columns[start : start + beside], list(example.before), longest, cell)
    return lines


def _bar_lines(
    columns: list[tuple[str, dict[str, float]]], words: list[str], longest: float, cell: int
) -> Iterator[str]:
    """Some columns under their labels, a word a line."""
    yield from _header_lines([label for label, _ in columns], cell)
    for word in words:
        cells = [_cell(probabilities[word], longest, cell) for _, probabilities in columns]
        yield f"  {word:<8}{''.join(cells)}".rstrip()


def _label(settings: Mapping[str, Any]) -> str:
    """Settings with spaces, so that they can be broken into lines."""
    return ", ".join(f"{name} = {value}" for name, value in settings.items())


def _header_lines(labels: list[str], cell: int) -> list[str]:
    """The labels above their columns, broken at commas where they are too long."""
    parts = [textwrap.wrap(label, cell - 2, break_long_words=False) for label in labels]
    height = max(map(len, parts))
    rows = zip(*([*[""] * (height - len(part)), *part] for part in parts), strict=True)
    lines = [" " * 10 + "".join(f"{text:<{cell}}" for text in row) for row in rows]
    return [click.style(line.rstrip(), dim=True) for line in lines]


def _cell(probability: float, longest: float, columns: int) -> str:
    figure = f"{probability:6.1%} " if probability else f"{'cut':>6} "
    return f"{figure}{bar(probability / longest, columns - 9):<{columns - 7}}"
