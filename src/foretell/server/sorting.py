"""A body's fields, sorted by the tables of `fields.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foretell.config.foreign_names import NOTES, known_as
from foretell.server.errors import invalid
from foretell.server.fields import (
    FORM_FIELDS,
    FUNCTIONS,
    HARMLESS,
    MOST,
    NEUTRAL,
    NEWER,
    OWN,
    REASONS,
    RENAMED,
    SENDABLE,
    SETTINGLESS,
)
from foretell.server.forms import form_settings
from foretell.server.limits import (
    MAX_BIASES,
    MAX_CHARACTERS,
    MAX_FIELDS,
    MAX_IDS,
    MAX_STOPS,
    MAX_TEXT_CHARACTERS,
    MAX_TEXTS,
)
from foretell.utils.quoting import quote

_OF_SETTINGS = (*RENAMED, *FORM_FIELDS)
_TEXTS = ("stop", "stop_regex", "bad_words", "dry_sequence_breakers")


@dataclass
class Fields:
    """A body's fields, sorted.

    Attributes:
        own: the route's.
        settings: by foretell's names.
        spelled: the field that a setting came from, where that has another name.
        is_strict: whether an unknown one is refused.
        unknown: names of those that nothing is made of.
        warnings: what is legal and yet unlikely to be meant, a sentence each.
    """

    is_strict: bool = False
    own: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take_all(self, name: str, settings: Mapping[str, Any]) -> None:
        """Take settings that a field stands for; ApiError if one was stated before."""
        for setting, value in settings.items():
            _take(self, setting, name, value)

    def pass_over(self, name: str) -> None:
        """Make nothing of a field that is unknown, and note it; ApiError if that is refused."""
        if self.is_strict:
            raise invalid(f"{quote(name)} is no field of this request", name, "unknown_parameter")
        self.unknown.append(name)


def sort_fields(body: Mapping[str, Any], route: str, *, strict: bool = False) -> Fields:
    """Sort a body's fields; ApiError for one that is refused, which it names as `param`."""
    if len(body) > MAX_FIELDS:
        raise invalid(f"the body has {len(body)} fields: must have at most {MAX_FIELDS}")
    found = Fields(is_strict=strict)
    stated = {name: value for name, value in body.items() if value is not None}
    for name, value in stated.items():
        if name in OWN[route]:
            found.own[name] = value
        elif name in HARMLESS:
            continue
        elif route in SETTINGLESS and (name in _OF_SETTINGS or name in SENDABLE):
            found.pass_over(name)
        elif name in FORM_FIELDS:
            found.take_all(name, form_settings(name, value))
        elif name in RENAMED:
            _rename(found, name, value)
        elif name in SENDABLE:
            _take(found, name, name, value)
        elif not _asks_for_nothing(name, value):
            _refuse_known(name, value)
            found.pass_over(name)
    return found


def _rename(found: Fields, name: str, value: Any) -> None:
    setting = RENAMED[name]
    earlier = found.spelled.get(setting)
    if earlier in NEWER:
        return
    if setting in found.settings and earlier is None:
        raise invalid(f"{name} and {setting} are one setting: give one of them", name)
    found.settings.pop(setting, None)
    _take(found, setting, name, value)


def _take(found: Fields, setting: str, name: str, value: Any) -> None:
    if setting in found.settings:
        raise invalid(
            f"{name} and {found.spelled.get(setting, setting)} are one setting: give one", name
        )
    _check_size(name, setting, value)
    if setting == "top_k" and value == -1 and type(value) is int:
        value = 0  # vLLM's way to say that it is off
    found.settings[setting] = value
    if name != setting:
        found.spelled[setting] = name


def _check_size(name: str, setting: str, value: Any) -> None:
    """Refuse what is so large that it could only do harm."""
    if setting in MOST and type(value) is int and value > MOST[setting]:
        raise invalid(f"{name}={quote(value)} must be at most {MOST[setting]}", name)
    is_text = setting in _TEXTS
    entries = value if isinstance(value, (list, dict)) else [value]
    most = MAX_IDS
    if is_text:
        most = MAX_STOPS if setting.startswith("stop") else MAX_TEXTS
    elif setting.endswith("_bias"):
        most = MAX_BIASES
    if len(entries) > most:
        raise invalid(f"{name} has {len(entries)} entries: must have at most {most}", name)
    if is_text:
        _check_texts(name, [len(text) for text in entries if isinstance(text, str)])


def _check_texts(name: str, lengths: list[int]) -> None:
    """Refuse texts of these many characters if one is too long, or all are together."""
    longest, total = max(lengths, default=0), sum(lengths)
    if longest > MAX_TEXT_CHARACTERS:
        most = f"must have at most {MAX_TEXT_CHARACTERS}"
        raise invalid(f"{name} has a text of {longest} characters: {most}", name)
    if total > MAX_CHARACTERS:
        most = f"must have at most {MAX_CHARACTERS}"
        raise invalid(f"{name} has {total} characters in all: {most}", name)


def _asks_for_nothing(name: str, value: Any) -> bool:
    """Whether a field is one that is refused, but this value does not change the text."""
    return any(value == one and type(value) is type(one) for one in NEUTRAL.get(name, ()))


def _refuse_known(name: str, value: Any) -> None:
    """Raise ApiError if the field means something that is not done here, or not by this name."""
    reason = reason_of(name)
    if reason is not None:
        raise invalid(f"{name}={quote(value)} is refused: {reason}", name, "unsupported_parameter")


def reason_of(name: str) -> str | None:
    """Why a field is refused that is no route's own, and no setting; None if nothing is known."""
    if name in REASONS:
        return REASONS[name]
    if name in FUNCTIONS:
        return "a function cannot be sent"
    setting = known_as(name, SENDABLE)
    if setting is not None:
        return f"here it is called {setting!r}"
    return NOTES.get(name, "it is not supported" if name in NEUTRAL else None)
