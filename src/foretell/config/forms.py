"""Settings that say which form a text has: what is accepted, and the one form that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from foretell.config import plain
from foretell.config.schemas import JsonSchema, json_schema
from foretell.config.validators import strings, wrong
from foretell.errors import ConfigError
from foretell.utils.surrogates import has_surrogate

WHITESPACE_STYLES = ("free", "fixed", "compact")

MAX_GRAMMAR = 2**18
"""Characters of a grammar or of a regular expression."""

MAX_CHOICES = 2**20
"""Characters of all choices together."""


def choices(name: str, value: Any) -> tuple[str, ...]:
    """Texts of which one is written, at least one, each once."""
    size = sum(len(one) for one in plain.items(value) or () if isinstance(one, str))
    if size > MAX_CHOICES:  # before each is looked at, which takes its time
        raise ConfigError(f"{name} has {size} characters in all: must have at most {MAX_CHOICES}")
    found = strings(name, value)
    if not found:
        raise ConfigError(f"{name} has no text: must have at least one")
    return tuple(dict.fromkeys(found))


def whitespace(name: str, value: Any) -> str:
    """A style of white space in JSON."""
    found = plain.string(value)
    if found not in WHITESPACE_STYLES:
        raise wrong(name, value, f"one of {', '.join(WHITESPACE_STYLES)}")
    return found


def formal_language(name: str, value: Any) -> str:
    """A grammar or a regular expression; whether it makes sense is found where it is compiled."""
    found = plain.string(value)
    if not found:
        raise wrong(name, value, "a string, not empty")
    if has_surrogate(found):
        raise wrong(name, value, "Unicode, without lone surrogates")
    if len(found) > MAX_GRAMMAR:
        raise ConfigError(f"{name} has {len(found)} characters: must have at most {MAX_GRAMMAR}")
    return found


def structural_tag(name: str, value: Any) -> JsonSchema:
    """vLLM's structural tag, as a dict or as its text: `structures` and their `triggers`.

    With `at_least_one` the text begins with a tag, and has nothing but tags; with
    `stop_after_first` it ends behind one. A structure may say whether it is `strict`: whether a
    keyword of its schema that JSON cannot be held to is refused.
    """
    if isinstance(value, type):
        raise wrong(name, value, "a dict with structures and triggers")
    found = json_schema(name, value)
    data = found.data
    structures = data.get("structures") if isinstance(data, dict) else None
    keys = {"begin", "schema", "end"}
    good = isinstance(structures, list) and structures
    if not good or not all(isinstance(one, dict) and keys <= {*one} for one in structures or ()):
        raise ConfigError(f"{name} must have structures: a list of objects with {sorted(keys)}")
    triggers = data.get("triggers", [])
    if not isinstance(triggers, list) or not all(isinstance(one, str) for one in triggers):
        raise ConfigError(f"{name}.triggers must be a list of texts")
    for key in ("at_least_one", "stop_after_first"):
        if not isinstance(data.get(key, False), bool):
            raise ConfigError(f"{name}.{key} must be true or false")
    for index, one in enumerate(structures or ()):
        _check_tag(f"{name}.structures[{index}]", one, triggers)
    return found


def _check_tag(path: str, tag: Mapping[str, Any], triggers: Iterable[str]) -> None:
    for key in ("begin", "end"):
        if not isinstance(tag[key], str) or not tag[key]:
            raise ConfigError(f"{path}.{key} must be a text, not empty")
    if not isinstance(tag.get("strict", False), bool):
        raise ConfigError(f"{path}.strict must be true or false")
    if not isinstance(tag["schema"], (dict, bool)):
        raise ConfigError(f"{path}.schema must be a JSON schema")
    if triggers and not any(one and tag["begin"].startswith(one) for one in triggers):
        raise ConfigError(f"{path}.begin must start with one of the triggers")
