"""From settings to the processors that they turn on, in the dialect's order."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.settings import SAMPLER_STAGES
from foretell.decoding import processors
from foretell.decoding.context import ChainContext
from foretell.decoding.functions import name_of
from foretell.decoding.processors.base import Processor
from foretell.decoding.processors.builders import Builder
from foretell.decoding.processors.custom import UserProcessor


@dataclass(frozen=True)
class Stage:
    """One step of the chain.

    Attributes:
        name: of the setting that turned it on, or of the user's function.
        setting: that setting's value, for people.
        processor: what is done to the row.
        is_sampling: whether it shapes the draw; the others also apply to greedy decoding.
    """

    name: str
    setting: str
    processor: Processor
    is_sampling: bool


def build_chain(config: GenerationConfig, context: ChainContext) -> list[Stage]:
    """The stages that `config` turns on, first to last.

    A setting at its neutral value (temperature 1, top-k 0, top-p 1) adds nothing. The order is the
    dialect's, or that of `config.processors`. Greedy decoding has no stage that shapes a draw.
    """
    names: Iterable[Any] = config.rules.order if config.processors is None else config.processors
    stages: list[Stage] = []
    for name in names:
        value = name if callable(name) else getattr(config, name)
        # dynatemp_range brings a temperature that is not set
        if name == "temperature" and value is None and config.dynatemp_range:
            value = 1.0
        if value is not None and value is not False:
            stages += _stages(name, value, config, context)
    return stages


def _stages(name: Any, value: Any, config: GenerationConfig, context: ChainContext) -> list[Stage]:
    if callable(name):
        return [_user_stage("processors", name, config)]
    if name == "logits_processor":
        return [_user_stage(name, function, config) for function in value]
    is_sampling = name in SAMPLER_STAGES
    if is_sampling and not config.is_sampling:
        return []
    processor = BUILDERS[name](value, config, context)
    return [] if processor is None else [Stage(name, _shown(value), processor, is_sampling)]


def _user_stage(setting: str, function: Callable[..., Any], config: GenerationConfig) -> Stage:
    processor = function
    if not isinstance(function, UserProcessor):
        processor = UserProcessor(function, setting, may_break=config.remove_invalid_values)
    return Stage(name_of(function), "", processor, is_sampling=False)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, tuple)) and len(value) > 3:
        return f"{len(value)} entries"
    return getattr(value, "__name__", str(value))


def _find_builders() -> dict[str, Builder]:
    """The builders of all files of `processors/`."""
    names = [module.name for module in pkgutil.iter_modules(processors.__path__)]
    modules = [import_module(f"{processors.__name__}.{name}") for name in names]
    return {name: build for one in modules for name, build in getattr(one, "BUILDERS", {}).items()}


BUILDERS = _find_builders()
"""For each stage, its processor, from the setting's value; None where the value does nothing."""
