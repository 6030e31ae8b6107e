"""From a setting's value to its processor: what the files of this folder share for it.

A file that has processors for settings has a dict `BUILDERS`, from the setting's name to its
builder; the chain finds it there. A builder answers None where the value does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.settings import SETTINGS
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.base import Processor
from foretell.errors import ConfigError

Builder = Callable[[Any, GenerationConfig, ChainContext], Processor | None]
"""Called with the setting's value, all settings, and what else is known of the request."""


def in_force(name: str, config: GenerationConfig) -> Any:
    """The setting, or what holds where it is not set."""
    value = getattr(config, name)
    return SETTINGS[name].if_not_set if value is None else value


def min_tokens(config: GenerationConfig) -> int:
    """How many candidates a sampler leaves."""
    return config.min_tokens_to_keep or 1


def ids(value: Iterable[int] | None) -> frozenset[int]:
    """Token ids, none where there is no value."""
    return frozenset(value or ())


def texts_left(name: str) -> ConfigError:
    """The error of a setting whose texts no tokenizer has turned into ids."""
    return ConfigError(f"{name} has texts: must have token ids by now, from a tokenizer")
