"""Running an engine to its end, and what a request must be answered, worked out without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from types import SimpleNamespace
from typing import Any

from benchmarks.stress.answers import Answer, Sample, take
from foretell.backends.scripted import Script, ScriptedBackend, improvise
from foretell.decoding.logprobs import report
from foretell.decoding.stopping import StopRules
from foretell.decoding.strategies.base import ChosenToken, StrategyContext
from foretell.decoding.strategies.guided import GuidedStrategy
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.engine.engine import Engine
from foretell.engine.events import Event, TokenEvent
from foretell.engine.request import Request

VOCAB = 20
SCRIPT = improvise(VOCAB)


def alike(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers, or parts of them, are equal but for the last bits of their floats."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):  # one of them may be read-only
        same_keys = one.keys() == other.keys()
        return same_keys and all(alike(one[key], other[key], tolerance) for key in one)
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return alike(vars(one), vars(other), tolerance)
    if isinstance(one, (list, tuple)):
        same_length = len(one) == len(other)
        return same_length and all(map(alike, one, other, [tolerance] * len(one)))
    return abs(one - other) <= tolerance if isinstance(one, float) else one == other


def scripted(script: Script = SCRIPT, **sizes: int) -> ScriptedBackend:
    return ScriptedBackend(script, vocab_size=VOCAB, **sizes)


def run(engine: Engine, *, most_steps: int = 2000) -> dict[int, Answer]:
    """Step until nothing is left; what each request was answered."""
    answers: dict[int, Answer] = {}
    while engine.has_work:
        take(engine.step(), answers)
        most_steps -= 1
        assert most_steps, "the engine goes on and on"
    return answers


def tokens_of(events: list[Event]) -> list[int]:
    return [event.token_id for event in events if isinstance(event, TokenEvent)]


def sample_by_hand(request: Request, script: Script = SCRIPT, *, index: int = 0) -> Sample:
    """A sample, token by token with the script itself: no blocks, no batches, no siblings."""
    config = request.config.override(num_return_sequences=1)
    vocab_size = len(script(tuple(request.prompt)))
    strategy = strategy_of(replace(request, config=config), vocab_size)
    rules = StopRules(config, request.eos_token_ids, request.min_length)
    prompts = [request.prompt, request.negative_prompt]
    histories = [
        SimpleNamespace(index=index, tokens=[*prompt], num_prompt_tokens=len(prompt))
        for prompt in prompts
        if prompt is not None
    ]
    sample = Sample()
    while sample.end is None:
        rows = [script(tuple(history.tokens)) for history in histories]
        token = _token(strategy, rows, histories)
        for history in histories:
            history.tokens.append(token.token_id)
        sample.tokens.append(token.token_id)
        sample.reports.append(token.reports)
        sample.end = rules.check(histories[0])
    return sample


def strategy_of(request: Request, vocab_size: int = VOCAB) -> SamplingStrategy | GuidedStrategy:
    """The strategy of a request that has a limit of its length."""
    kind = SamplingStrategy if request.negative_prompt is None else GuidedStrategy
    return kind(request.config, StrategyContext(request.context(vocab_size, request.min_length)))


def _token(
    strategy: SamplingStrategy | GuidedStrategy, rows: list[Any], histories: list[Any]
) -> ChosenToken:
    """One token, stage by stage."""
    if isinstance(strategy, SamplingStrategy):
        return strategy.choose(rows[0], histories[0], strategy.stages(histories[0]))
    return strategy.step(rows, histories).choices[0].tokens[0]


def answer_by_hand(request: Request, script: Script = SCRIPT) -> Answer:
    """The whole answer to a request that generates, with a limit of its length."""
    answer = Answer()
    if request.prompt_logprobs is not None:
        for at in range(1, len(request.prompt)):
            row = script(tuple(request.prompt[:at]))
            answer.prompt.append(report(row, request.prompt[at], request.prompt_logprobs))
    for index in range(request.num_samples):
        answer.samples[index] = sample_by_hand(request, script, index=index)
    return answer
