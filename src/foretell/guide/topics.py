"""Topics of the guide: a setting, a preset or a dialect, with all there is to say on it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.config.choices import Scope
from foretell.config.dialects import DIALECTS, Dialect, find_dialect
from foretell.config.presets import PRESETS
from foretell.config.ranges import FINITE, Range
from foretell.config.settings import ALIASES, RANGES, SETTINGS, Setting
from foretell.errors import ConfigError
from foretell.guide.relations import contradictions, dialect_notes
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean

if TYPE_CHECKING:
    from foretell.guide.worked import WorkedExample


@dataclass(frozen=True)
class SettingTopic:
    """One setting.

    Attributes:
        name, group, meaning: what it is called, where it belongs, what it does.
        form: "an integer", "a number", or the form of other values.
        low, high: the legal bounds of a number, None if there is none; `low` is excluded where
            `open_low`.
        useful: the bounds within which it does what people want of it.
        neutral: the value at which it does nothing.
        if_not_set: the value in force where a setting that needs it is on.
        low_effect, high_effect: what low and high values lead to.
        formula, source: how it is computed, and who says so.
        contradictions: what it does not go with, and what it has no effect without.
        dialects: by dialect, where they differ.
        forms: of a function: foretell's own, then transformers'.
        called: when the function is called, with what, and what it returns.
        code: a program that uses it.
    """

    name: str
    group: str
    meaning: str
    form: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    useful: tuple[float, float] | None = None
    neutral: float | None = None
    if_not_set: float | None = None
    low_effect: str = ""
    high_effect: str = ""
    formula: str = ""
    source: str = ""
    contradictions: tuple[str, ...] = ()
    dialects: dict[str, str] = dataclasses.field(default_factory=dict)
    forms: tuple[str, ...] = ()
    called: str = ""
    code: str = ""

    def legal(self) -> str:
        """The legal bounds, in words; the form of what is not a number."""
        if self.name not in RANGES:
            return self.form
        if self.low is None or self.low <= -FINITE:
            return "any number"
        if self.high is None or self.high >= FINITE:
            return f"{'>' if self.open_low else '≥'} {self.low:g}"
        high = str(self.high) if isinstance(self.high, int) else f"{self.high:g}"
        return f"{'> ' if self.open_low else ''}{self.low:g} to {high}"


@dataclass(frozen=True)
class PresetTopic:
    """One preset: its task, why it is set so, the settings, and the temperatures that will do."""

    name: str
    task: str
    why: str
    settings: dict[str, Any]
    temperatures: tuple[float, float] | None


@dataclass(frozen=True)
class DialectTopic:
    """One dialect; see `foretell.config.dialects.Dialect`."""

    name: str
    version: str
    order: tuple[str, ...]
    defaults: dict[str, Any]
    ties: str
    repetition_scope: Scope
    count_scope: Scope
    least_temperature: float


Topic = SettingTopic | PresetTopic | DialectTopic


def topic_names() -> tuple[str, ...]:
    """All that can be asked about: settings, presets, dialects."""
    return (*SETTINGS, *PRESETS, *DIALECTS)


def find_topic(name: str) -> Topic:
    """The topic of this name; settings may be spelled as options, or as other systems call them.

    Raises ConfigError, with the closest name, if there is none.
    """
    wanted = name.strip().lower()
    setting = wanted.lstrip("-").replace("-", "_")
    setting = ALIASES.get(setting, setting)
    if setting in SETTINGS:
        return setting_topic(setting)
    if wanted in PRESETS:
        return preset_topic(wanted)
    if wanted.split("@")[0] in DIALECTS:
        return dialect_topic(find_dialect(wanted))
    raise ConfigError(f"{quote(name)} is not in the guide: {_hint(wanted, setting)}")


def _hint(*spellings: str) -> str:
    hint = "`foretell guide` lists all"
    for spelling in reversed(spellings):
        hint = did_you_mean(spelling, (*topic_names(), *ALIASES), hint)
    return hint


def setting_topic(name: str) -> SettingTopic:
    """All there is to say on a setting."""
    row = SETTINGS[name]
    return SettingTopic(
        name=name,
        group=row.group,
        meaning=row.meaning,
        **_numbers(row),
        low_effect=row.low,
        high_effect=row.high,
        formula=row.formula,
        source=row.source,
        contradictions=contradictions(name),
        dialects=dialect_notes(name),
        forms=row.forms,
        called=row.called,
        code=row.code,
    )


def _numbers(row: Setting) -> dict[str, Any]:
    span = row.values
    if not isinstance(span, Range):
        return {"form": span.form or ", ".join(DIALECTS)}
    return {
        "form": "an integer" if span.kind is int else "a number",
        "low": span.low if span.low > -FINITE else None,
        "high": span.high if span.high < FINITE else None,
        "open_low": span.open_low,
        "useful": span.useful,
        "neutral": row.neutral_value,
        "if_not_set": row.if_not_set,
    }


def preset_topic(name: str) -> PresetTopic:
    """All there is to say on a preset."""
    preset = PRESETS[name]
    return PresetTopic(name, preset.task, preset.why, dict(preset.settings), preset.span)


def dialect_topic(dialect: Dialect) -> DialectTopic:
    """All there is to say on a dialect."""
    return DialectTopic(
        name=dialect.name,
        version=dialect.version,
        order=dialect.order,
        defaults=dict(dialect.defaults),
        ties=dialect.ties,
        repetition_scope=dialect.repetition_scope,
        count_scope=dialect.count_scope,
        least_temperature=dialect.least_temperature,
    )


def example_of(topic: Topic) -> WorkedExample | None:
    """What the topic makes of a made-up distribution, if that can be shown."""
    from foretell.guide.worked import work_out

    return work_out(topic.name)
