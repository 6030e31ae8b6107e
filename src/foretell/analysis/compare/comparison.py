"""Several strategies over one prompt: what is asked for, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from foretell.analysis.compare.figures import figures_of
from foretell.analysis.compare.html import fragment
from foretell.analysis.compare.results import Run, RunChunk, StrategyResult
from foretell.analysis.compare.strategies import Strategy
from foretell.analysis.compare.tables import comparison_lines
from foretell.analysis.tasks import Analysis, GenerationTask, ReadPrompt
from foretell.config import GenerationConfig
from foretell.config.defaults import COMPARE_TOKENS
from foretell.inputs.prompts import Prompt
from foretell.outputs import Chunk, GenerationOutput, JsonMixin


@dataclass(frozen=True, repr=False)
class Comparison(JsonMixin):
    """Several strategies over the same prompt, in the order in which they were named.

    Printed, and in a notebook, it is a table of the figures with the texts below. `model` is the
    backend's description of what it runs.
    """

    prompt: str
    model: str
    results: tuple[StrategyResult, ...]

    def __str__(self) -> str:
        return "\n".join(comparison_lines(self.results))

    def _repr_html_(self) -> str:
        return fragment(self.prompt, self.model, self.results)


def compare(
    read: ReadPrompt, prompt: Prompt, strategies: Sequence[Strategy], model: str
) -> Analysis[Comparison]:
    """Continue a prompt by several strategies, and measure what tells the texts apart.

    All runs of all strategies go in one batch; each has at most 60 tokens where its settings state
    no length.

    Args:
        read: reads and checks the prompt.
        prompt: text, or token ids.
        strategies: what is to be run, by `plan_strategies`.
        model: what the backend says that it runs.

    Raises:
        RequestError: the prompt is empty or cannot fit.
    """
    text, token_ids = read(prompt)
    outputs = yield [
        GenerationTask(token_ids, config, default_length=COMPARE_TOKENS)
        for strategy in strategies
        for config in strategy.runs
    ]
    left = iter(outputs)
    results = [_result_of(one, list(islice(left, len(one.runs)))) for one in strategies]
    return Comparison(text, model, tuple(results))


def chunk_labels(
    strategies: Sequence[Strategy], configs: Sequence[GenerationConfig]
) -> Callable[[Chunk], RunChunk]:
    """Says of each chunk of a comparison's tasks whose it is, by the settings in force for each."""
    names = [(one.name, run) for one in strategies for run in range(len(one.runs))]
    seeds = [_seed_of(config) for config in configs]

    def label(chunk: Chunk) -> RunChunk:
        strategy, run = names[chunk.prompt_index]
        return RunChunk(strategy, run, seeds[chunk.prompt_index], chunk)

    return label


def _result_of(strategy: Strategy, outputs: Sequence[GenerationOutput]) -> StrategyResult:
    runs = tuple(map(_run_of, outputs))
    logprobs = [logprob for run in runs for logprob in run.logprobs]
    figures = figures_of([run.token_ids for run in runs], logprobs)
    length = outputs[0].config.max_new_tokens  # the default one, if none was stated
    in_force = strategy.config.override(seed=None, max_new_tokens=length)
    return StrategyResult(strategy.name, in_force, runs, figures)


def _run_of(output: GenerationOutput) -> Run:
    logprobs = [token.logprob for token in output.logprobs or [] if token.logprob is not None]
    seed = _seed_of(output.config)
    return Run(output.text, seed, output.finish_reason, output.token_ids, logprobs)


def _seed_of(config: GenerationConfig) -> int | None:
    """The seed of a run; None where nothing is drawn."""
    return config.seed if config.is_sampling else None
