"""Runs several strategies over one prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from time import perf_counter
from typing import TYPE_CHECKING, Any

from foretell.analysis.compare.figures import figures_of
from foretell.analysis.compare.results import Comparison, Run, StrategyResult
from foretell.config import GenerationConfig, Range
from foretell.config.presets import MODEL_PRESET
from foretell.config.ranges import MAX_SEED
from foretell.engine.request import Request
from foretell.errors import ConfigError
from foretell.inputs.prompts import Prompt, read_prompt
from foretell.outputs import Chunk, GenerationOutput
from foretell.streaming.progress import progress_bar

if TYPE_CHECKING:
    from foretell.llm import LLM

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


def compare(
    llm: LLM,
    prompt: Prompt,
    strategies: Strategies = DEFAULT_STRATEGIES,
    *,
    seeds: Sequence[int] | int = 3,
    parse_special: bool = False,
    progress: bool = False,
    **shared_settings: Any,
) -> Comparison:
    """Continue a prompt by several strategies, and measure what tells the texts apart.

    A strategy that samples runs once for each seed, all in one batch; one that does not, or that
    states a seed of its own, runs once. The strategies run one after another, so that the speed of
    each is its own. All settings are checked before the first one runs.

    Args:
        llm: the model.
        prompt: text, or token ids.
        strategies: settings by name, as a mapping of `GenerationConfig`'s fields or as a whole.
        seeds: the seeds, or their number n for 0 to n-1.
        parse_special: whether special tokens written out in the text count as such.
        progress: whether a bar on stderr counts the finished runs.
        shared_settings: fields of `GenerationConfig` for all strategies; what a strategy states
            itself wins.

    Raises:
        ConfigError: there is no strategy; a setting or seed has no meaning.
        RequestError: the prompt is empty or cannot fit.
    """
    seeds = read_seeds(seeds)
    configs = read_strategies(strategies, shared_settings)
    plans = {name: _plan(config, seeds) for name, config in configs.items()}
    text, token_ids = read_prompt(prompt, llm.tokenizer, parse_special=parse_special)
    llm.engine.check(Request(token_ids))
    with progress_bar(sum(map(len, plans.values())) if progress else 0) as show:
        results = tuple(
            _run_strategy(llm, token_ids, name, configs[name], plan, show)
            for name, plan in plans.items()
        )
    return Comparison(text, llm.info.description, results)


def read_strategies(
    strategies: Strategies, shared: Mapping[str, Any]
) -> dict[str, GenerationConfig]:
    """Whole configs by name; ConfigError, naming the strategy, where one makes no sense."""
    if not isinstance(strategies, Mapping) or not strategies:
        raise ConfigError(f"strategies={strategies!r} must be a dict from names to settings")
    configs = {}
    for name, settings in strategies.items():
        if not isinstance(name, str) or not name:
            raise ConfigError(f"the strategy name {name!r} must be a text, not empty")
        try:
            configs[name] = _complete(settings, shared)
            _refuse_samples(configs[name])
        except ConfigError as error:
            raise ConfigError(f"strategy {name!r}: {error}") from error
    return configs


def _complete(
    settings: Mapping[str, Any] | GenerationConfig, shared: Mapping[str, Any]
) -> GenerationConfig:
    if isinstance(settings, GenerationConfig):
        return settings.override(**{**shared, **settings.stated})
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{settings!r} must be a dict of settings or a GenerationConfig")
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
        raise ConfigError(f"seeds={found!r} must have at least one seed, and each once")
    return found


def _plan(config: GenerationConfig, seeds: list[int]) -> list[GenerationConfig]:
    """The settings of each run, with the raw model's log-probabilities asked for."""
    watched = config.override(logprobs=0, logprobs_stage=("raw",))
    may_sample = config.samples or config.preset == MODEL_PRESET
    if not may_sample or config.seed is not None:
        return [watched]
    return [watched.override(seed=seed) for seed in seeds]


def _run_strategy(
    llm: LLM,
    token_ids: list[int],
    name: str,
    config: GenerationConfig,
    plan: list[GenerationConfig],
    show: Callable[[Chunk], None],
) -> StrategyResult:
    started = perf_counter()
    runs = tuple(_run_of(output) for output in _generate(llm, token_ids, plan, show))
    seconds = perf_counter() - started
    logprobs = [logprob for run in runs for logprob in run.logprobs]
    figures = figures_of([run.token_ids for run in runs], logprobs, seconds)
    return StrategyResult(name, config.override(seed=None), runs, figures)


def _generate(
    llm: LLM, token_ids: list[int], plan: list[GenerationConfig], show: Callable[[Chunk], None]
) -> list[GenerationOutput]:
    """The outputs of one prompt under several settings, read in turn so that they share batches."""
    outputs: dict[int, GenerationOutput] = {}
    with ExitStack() as stack:
        streams = {
            place: stack.enter_context(closing(llm.stream(token_ids, config)))
            for place, config in enumerate(plan)
        }
        while streams:
            for place, stream in list(streams.items()):
                chunk = next(stream)
                show(chunk)
                if chunk.output is not None:
                    outputs[place] = chunk.output
                    del streams[place]
    return [outputs[place] for place in range(len(plan))]


def _run_of(output: GenerationOutput) -> Run:
    logprobs = [token.logprob for token in output.logprobs or [] if token.logprob is not None]
    seed = output.config.seed if output.config.samples else None
    return Run(output.text, seed, output.finish_reason, output.token_ids, logprobs)
