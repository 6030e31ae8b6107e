"""What a comparison is to run: strategies by name, and the seeds of those that sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foretell.config import GenerationConfig, Range
from foretell.config.presets import MODEL_PRESET
from foretell.config.ranges import MAX_SEED
from foretell.errors import ConfigError
from foretell.utils.quoting import quote

Strategies = Mapping[str, Mapping[str, Any] | GenerationConfig]

DEFAULT_STRATEGIES: Strategies = {
    "greedy": {"do_sample": False},
    "temperature 0.1": {"temperature": 0.1},
    "temperature 1": {"temperature": 1.0},
    "temperature 2": {"temperature": 2.0},
    "top-k 50": {"top_k": 50},
    "top-p 0.9": {"top_p": 0.9},
    "all three": {"temperature": 0.8, "top_k": 50, "top_p": 0.9},
}
"""The textbook's strategies; "all three" is temperature 0.8, top-k 50 and top-p 0.9."""

MAX_SEEDS = 1000


@dataclass(frozen=True)
class Strategy:
    """One strategy: its settings, and those of each of its runs."""

    name: str
    config: GenerationConfig
    runs: tuple[GenerationConfig, ...]


def plan_strategies(
    strategies: Strategies | None, shared: Mapping[str, Any], seeds: Sequence[int] | int
) -> list[Strategy]:
    """What is to be run, checked as a whole.

    A strategy that samples runs once for each seed; one that does not, or that states a seed of its
    own, runs once.

    Args:
        strategies: settings by name, as a mapping of `GenerationConfig`'s fields or as a whole;
            None for the textbook's.
        shared: fields of `GenerationConfig` for all strategies; what a strategy states itself wins.
        seeds: the seeds, or their number n for 0 to n-1.

    Raises:
        ConfigError: there is no strategy; a setting or seed has no meaning.
    """
    numbers = read_seeds(seeds)
    configs = read_strategies(DEFAULT_STRATEGIES if strategies is None else strategies, shared)
    return [
        Strategy(name, config, tuple(_runs(config, numbers))) for name, config in configs.items()
    ]


def _runs(config: GenerationConfig, seeds: list[int]) -> list[GenerationConfig]:
    """The settings of each run, with the raw model's log-probabilities asked for."""
    reported = config.override(logprobs=0, logprobs_stage=("raw",))
    may_sample = config.is_sampling or config.preset == MODEL_PRESET
    if not may_sample or config.seed is not None:
        return [reported]
    return [reported.override(seed=seed) for seed in seeds]


def read_strategies(
    strategies: Strategies, shared: Mapping[str, Any]
) -> dict[str, GenerationConfig]:
    """Whole configs by name; ConfigError, naming the strategy, where one makes no sense."""
    if not isinstance(strategies, Mapping) or not strategies:
        raise ConfigError(f"strategies={quote(strategies)} must be a dict from names to settings")
    configs = {}
    for name, settings in strategies.items():
        if not isinstance(name, str) or not name:
            raise ConfigError(f"the strategy name {quote(name)} must be a text, not empty")
        try:
            configs[name] = _complete(settings, shared)
            _refuse_samples(configs[name])
        except ConfigError as error:
            raise ConfigError(f"strategy {quote(name)}: {error}") from error
    return configs


def _complete(
    settings: Mapping[str, Any] | GenerationConfig, shared: Mapping[str, Any]
) -> GenerationConfig:
    if isinstance(settings, GenerationConfig):
        return settings.override(**{**shared, **settings.stated})
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise ConfigError(f"{quote(settings)} must be a dict of settings or a GenerationConfig")
    return GenerationConfig().override(**{**shared, **settings})


def _refuse_samples(config: GenerationConfig) -> None:
    number = config.num_return_sequences
    if number > 1:
        raise ConfigError(f"num_return_sequences={number} must be 1: compare runs one text a seed")


def read_seeds(seeds: Sequence[int] | int) -> list[int]:
    """The seeds, or those from 0 to n-1; ConfigError if there are none, or one comes twice."""
    if not isinstance(seeds, (list, tuple, range)):
        Range(int, 1, MAX_SEEDS, "seeds to run, or a list of them").check("seeds", seeds)
        return list(range(seeds))  # type: ignore[arg-type]
    found = list(seeds)
    for seed in found:
        Range(int, 0, MAX_SEED, "a seed").check("seeds", seed)
    if not found or len(set(found)) < len(found):
        raise ConfigError(f"seeds={quote(found)} must have at least one seed, and each once")
    return found
