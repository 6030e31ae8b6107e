"""Which chains run fused in C++ (row 5 of the design)."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.config import GenerationConfig
from foretell.decoding.chain import Stage, frozen_ids, scope_of
from foretell.decoding.context import ChainContext
from foretell.decoding.fused import MAX_VOCAB, FusedChain, Step
from foretell.decoding.processors.temperature import Temperature

PENALTIES = ("repetition_penalty", "frequency_penalty", "presence_penalty")
STEPS = ("temperature", "top_k", "top_p", "min_p")


def fuse(
    stages: Sequence[Stage], config: GenerationConfig, context: ChainContext
) -> FusedChain | None:
    """The same chain in C++; None where a stage, or their order, is not the usual one.

    Penalties come first, in the order above; the samplers after them, in any order.
    """
    names = [stage.name for stage in stages]
    penalties = [name for name in names if name in PENALTIES]
    steps = names[len(penalties) :]
    is_usual = penalties == names[: len(penalties)] and set(steps) <= set(STEPS)
    in_order = penalties == sorted(penalties, key=PENALTIES.index)
    if not (is_usual and in_order) or config.trace or context.vocab_size > MAX_VOCAB:
        return None
    if any(_is_dynamic(stage) for stage in stages):
        return None
    rules = config.rules
    return FusedChain(
        vocab_size=context.vocab_size,
        steps=[_step(stage, config) for stage in stages[len(penalties) :]],
        greedy=not config.samples,
        repetition_penalty=_or(config.repetition_penalty, 1.0),
        frequency_penalty=_or(config.frequency_penalty, 0.0),
        presence_penalty=_or(config.presence_penalty, 0.0),
        repetition_scope=scope_of(config, rules.repetition_scope),
        count_scope=scope_of(config, rules.count_scope),
        exempt=frozen_ids(config.penalty_exempt_tokens),
        min_tokens_to_keep=config.min_tokens_to_keep or 1,
    )


def _is_dynamic(stage: Stage) -> bool:
    return stage.name == "temperature" and not isinstance(stage.processor, Temperature)


def _step(stage: Stage, config: GenerationConfig) -> Step:
    if stage.name == "temperature":
        temperature = _or(config.temperature, 1.0)
        return "temperature", max(temperature, config.rules.least_temperature)
    if stage.name == "top_k":
        return ("top_k" if config.rules.ties == "keep" else "top_k_cut"), _or(config.top_k, 0)
    if stage.name == "top_p":
        return "top_p", _or(config.top_p, 1.0)
    return "min_p", _or(config.min_p, 0.0)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
