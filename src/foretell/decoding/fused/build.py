"""Which chains run fused in C++."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.chain import MAX_VOCAB, FusedChain, Step, apply
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.beginning import BeginningMask
from foretell.decoding.processors.form import FormMask
from foretell.decoding.processors.penalties import (
    FrequencyPenalty,
    Penalty,
    PresencePenalty,
    RepetitionPenalty,
)
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.thinking import ThinkingBudget
from foretell.decoding.processors.truncation import MinP, TopK, TopP
from foretell.decoding.trace import TracedChain
from foretell.utils.arrays import Logits

ORDER = (RepetitionPenalty, FrequencyPenalty, PresencePenalty)
MASKS = (ThinkingBudget, FormMask, BeginningMask)
COLDEST = 1e-30  # a temperature that rules out only what is e^-(3e8) times as likely as the best


def fuse(
    stages: Sequence[Stage], config: GenerationConfig, context: ChainContext
) -> FusedChain | None:
    """The same chain in C++; None where a stage, or their order, is not fusable.

    Penalties come first, in the order above; temperature, top-k, top-p and min-p after them, in any
    order.
    """
    processors = [stage.processor for stage in stages]
    penalties = [one for one in takewhile(_is_penalty, processors) if isinstance(one, Penalty)]
    ranks = [ORDER.index(type(penalty)) for penalty in penalties]
    steps = [_step(processor) for processor in processors[len(penalties) :]]
    fusable_steps = [step for step in steps if step is not None]
    is_fusable = ranks == sorted(ranks) and len(fusable_steps) == len(steps)
    if not is_fusable or context.vocab_size > MAX_VOCAB:
        return None
    return FusedChain(
        vocab_size=context.vocab_size,
        steps=fusable_steps,
        greedy=not config.is_sampling,
        min_tokens_to_keep=config.min_tokens_to_keep or 1,
        **_settings(penalties),
    )


def set_apart(stages: Sequence[Stage]) -> tuple[list[Stage], list[Stage]]:
    """The masks of thoughts, forms and beginnings, and the others, where these may come first.

    So it is where only penalties come before them: these leave ruled-out tokens so.
    """
    masks = [one for one in stages if isinstance(one.processor, MASKS)]
    before = [*takewhile(lambda one: one is not masks[-1], stages)] if masks else []
    if not all(one in masks or _is_penalty(one.processor) for one in before):
        return [], [*stages]
    return masks, [one for one in stages if one not in masks]


def fuse_traced(
    stages: Sequence[Stage], config: GenerationConfig, context: ChainContext
) -> TracedChain | None:
    """The same chain in C++, traced stage by stage; None where a Recorder must trace it.

    That is also where a stage is nothing in float32, and where a temperature rules out what had a
    share.
    """
    whole = fuse(stages, config, context)
    if whole is None or whole.num_stages != len(stages) or any(map(_is_freezing, stages)):
        return None
    return TracedChain(stages, whole)


def _is_freezing(stage: Stage) -> bool:
    processor = stage.processor
    return isinstance(processor, Temperature) and processor.temperature < COLDEST


class FusedStage:
    """One stage in C++, writing into the row as its twin in numpy does."""

    def __init__(self, chain: FusedChain) -> None:
        self._chain = chain

    def __call__(self, row: Logits, history: History) -> None:
        """Do to the row what the stage does."""
        self._chain.advance(history)
        apply(row, self._chain)


def fuse_each(
    stages: Sequence[Stage], config: GenerationConfig, context: ChainContext
) -> list[Stage]:
    """The stages one by one in C++, where they have a twin there, so that each can be traced."""
    fused = []
    for stage in stages:
        twin = fuse([stage], config, context)
        fused.append(stage if twin is None else replace(stage, processor=FusedStage(twin)))
    return fused


def _is_penalty(processor: Processor) -> bool:
    return isinstance(processor, ORDER)


def _settings(penalties: Sequence[Penalty]) -> dict[str, Any]:
    """What the penalties are in C++; frequency and presence look back on the same tokens."""
    settings: dict[str, Any] = {}
    for penalty in penalties:
        repeats = isinstance(penalty, RepetitionPenalty)
        settings[penalty.setting] = float(penalty.penalty)
        settings["repetition_scope" if repeats else "count_scope"] = penalty.scope
        settings["exempt"] = penalty.exempt
    return settings


def _step(processor: Processor) -> Step | None:
    """The processor's twin in C++, if it has one."""
    step: Step | None = None
    if isinstance(processor, Temperature):
        step = ("temperature", processor.temperature)
    elif isinstance(processor, TopK):
        step = ("top_k_cut" if processor.cuts_ties else "top_k", processor.k)
    elif isinstance(processor, TopP):
        step = ("top_p", processor.p)
    elif isinstance(processor, MinP):
        step = ("min_p", processor.p)
    return step
