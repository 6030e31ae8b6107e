"""The one table of settings: a row each, in a file for each group.

Whatever else is to be known of a setting by its name (its range, whether it samples, its option,
its page in the guide) is read from here. A test holds `GenerationConfig`'s fields to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from foretell.config.ranges import Range
from foretell.config.settings import (
    cutting,
    ending,
    form,
    reasoning,
    repetition,
    reports,
    steering,
    strategy,
    temperature,
    tokens,
)
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import Values

__all__ = [
    "ALIASES",
    "CHOOSING_SETTINGS",
    "FORMS",
    "FUNCTION_SETTINGS",
    "GROUPS",
    "MULTIPLYING_SETTINGS",
    "RANGES",
    "REPORT_SETTINGS",
    "SAMPLER_STAGES",
    "SAMPLING_SETTINGS",
    "SEARCHING",
    "SETTINGS",
    "STAGES",
    "TEXT_STOPS",
    "TOKEN_IDS_OF",
    "Kind",
    "Setting",
]

_GROUPS = (
    *(strategy, temperature, cutting, steering, repetition, tokens),
    *(form, reasoning, ending, reports),
)

SETTINGS: dict[str, Setting] = {
    name: replace(row, group=group.HEADING) for group in _GROUPS for name, row in group.ROWS.items()
}
"""Every setting's row, in the order of the guide and of `--help`."""

GROUPS: dict[str, tuple[str, ...]] = {group.HEADING: tuple(group.ROWS) for group in _GROUPS}
"""The names of the settings under each heading."""

TOKEN_IDS_OF: dict[str, Callable[[Any], Iterable[int]]] = {
    name: row.values.token_ids
    for name, row in SETTINGS.items()
    if isinstance(row.values, Values) and row.values.token_ids is not None
}
"""Finds the token ids in the value of each setting that has some."""

REPORT_SETTINGS = tuple(name for name, row in SETTINGS.items() if row.kind is Kind.REPORT)
"""They say what is told of a text, and change no token."""

RANGES: dict[str, Range] = {
    name: row.values for name, row in SETTINGS.items() if isinstance(row.values, Range)
}
"""The legal and the useful values of each number."""

SAMPLING_SETTINGS = tuple(name for name, row in SETTINGS.items() if row.kind.is_sampling)
"""Any of them makes decoding sample."""

CHOOSING_SETTINGS = frozenset(
    (
        *("preset", "dialect", "do_sample", "num_beams", "penalty_alpha", "dola_layers"),
        *("processors", *SAMPLING_SETTINGS),
    )
)
"""Settings that say how tokens are chosen."""

STAGES = frozenset(name for name, row in SETTINGS.items() if row.kind.is_stage)
"""The stages of a chain; each bears the name of the setting that turns it on."""

SAMPLER_STAGES = frozenset(name for name in STAGES if SETTINGS[name].kind.is_sampling)
"""Stages that shape the draw; the rest (penalties, masks, lengths) also apply to greedy."""

FORMS = tuple(name for name, row in SETTINGS.items() if row.kind is Kind.FORM)
"""Each holds a text to a language; a text has one of them at most."""

FUNCTION_SETTINGS = tuple(name for name, row in SETTINGS.items() if row.forms)
"""Settings that take functions of the user's."""

TEXT_STOPS = tuple(name for name, row in SETTINGS.items() if row.ends_text)
"""Where the text says that it has ended; a beam's too."""

MULTIPLYING_SETTINGS = tuple(name for name, row in SETTINGS.items() if row.multiplies_sequences)
"""By any of them one prompt has several sequences."""


def _searching() -> tuple[str, ...]:
    """`num_beams`, what needs it, and what needs these in turn."""
    found = ["num_beams"]
    for name, row in SETTINGS.items():
        if row.needs and {*row.needs} <= {*found}:
            found.append(name)
    return tuple(found)


SEARCHING = _searching()
"""Settings of beam searches, which mean nothing elsewhere."""

ALIASES: dict[str, str] = {alias: name for name, row in SETTINGS.items() for alias in row.aliases}
"""Names that other systems use, and what they are called here."""
