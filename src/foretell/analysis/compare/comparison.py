"""Several strategies over one prompt: what is asked for, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from foretell.analysis.compare.figures import figures_of
from foretell.analysis.compare.html import fragment
from foretell.analysis.compare.results import Run, StrategyResult
from foretell.analysis.compare.strategies import Strategy
from foretell.analysis.compare.tables import comparison_lines
from foretell.analysis.tasks import Analysis, GenerationTask, ReadPrompt
from foretell.config.defaults import COMPARE_TOKENS
from foretell.inputs.prompts import Prompt
from foretell.outputs import GenerationOutput, JsonMixin


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


def _result_of(strategy: Strategy, outputs: Sequence[GenerationOutput]) -> StrategyResult:
    runs = tuple(map(_run_of, outputs))
    logprobs = [logprob for run in runs for logprob in run.logprobs]
    figures = figures_of([run.token_ids for run in runs], logprobs)
    length = outputs[0].config.max_new_tokens  # the default one, if none was stated
    in_force = strategy.config.override(seed=None, max_new_tokens=length)
    return StrategyResult(strategy.name, in_force, runs, figures)


def _run_of(output: GenerationOutput) -> Run:
    logprobs = [token.logprob for token in output.logprobs or [] if token.logprob is not None]
    seed = output.config.seed if output.config.is_sampling else None
    return Run(output.text, seed, output.finish_reason, output.token_ids, logprobs)
