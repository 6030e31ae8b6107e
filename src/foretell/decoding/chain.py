"""From settings to the processors that they turn on, in the dialect's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.settings import SAMPLER_STAGES, SETTINGS
from foretell.decoding.context import ChainContext
from foretell.decoding.processors.adaptive import AdaptiveP
from foretell.decoding.processors.base import Processor
from foretell.decoding.processors.bias import LogitBias, SequenceBias
from foretell.decoding.processors.custom import UserProcessor, name_of
from foretell.decoding.processors.dry import DRY
from foretell.decoding.processors.dynamic_temperature import DynamicTemperature
from foretell.decoding.processors.entropy_samplers import EpsilonCutoff, EtaCutoff, TopH, TypicalP
from foretell.decoding.processors.guards import RemoveInvalidValues, Renormalize
from foretell.decoding.processors.lengths import (
    ExponentialDecay,
    ForcedBOS,
    ForcedEOS,
    MinLength,
    MinNewTokens,
)
from foretell.decoding.processors.masks import (
    AllowedTokens,
    BadWords,
    BeginSuppress,
    PrefixAllowed,
    SuppressTokens,
)
from foretell.decoding.processors.mirostat import MirostatV1, MirostatV2
from foretell.decoding.processors.ngrams import NoRepeatNGram
from foretell.decoding.processors.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
)
from foretell.decoding.processors.sigma import TopNSigma
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import MinP, TopK, TopP
from foretell.decoding.processors.xtc import XTC
from foretell.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """One step of the chain.

    Attributes:
        name: of the setting that turned it on, or of the user's function.
        setting: that setting's value, for people.
        processor: what is done to the row.
        samples: whether it shapes the draw; the others also apply to greedy decoding.
    """

    name: str
    setting: str
    processor: Processor
    samples: bool


def chain(config: GenerationConfig, context: ChainContext) -> list[Stage]:
    """The stages that `config` turns on, first to last.

    A setting at its neutral value (temperature 1, top-k 0, top-p 1) adds nothing. The order is the
    dialect's, or that of `config.processors`. Greedy decoding has no stage that shapes a draw.
    """
    names: Iterable[Any] = config.rules.order if config.processors is None else config.processors
    stages: list[Stage] = []
    for name in names:
        stages += _stages(name, config, context)
    return [stage for stage in stages if config.samples or not stage.samples]


def _stages(name: Any, config: GenerationConfig, context: ChainContext) -> list[Stage]:
    if callable(name):
        return [Stage(name_of(name), "", UserProcessor(name), samples=False)]
    value = getattr(config, name)
    if name == "logits_processor":
        return [one for function in value or () for one in _stages(function, config, context)]
    if name == "temperature" and value is None and config.dynatemp_range:
        value = 1.0
    if value is None or value is False or (name in SAMPLER_STAGES and not config.samples):
        return []
    processor = MAKERS[name](value, config, context)
    if processor is None:
        return []
    return [Stage(name, _shown(value), processor, name in SAMPLER_STAGES)]


def _shown(value: Any) -> str:
    if isinstance(value, (dict, tuple)) and len(value) > 3:
        return f"{len(value)} entries"
    return getattr(value, "__name__", str(value))


def _temperature(value: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    temperature = max(value, config.rules.least_temperature)
    if config.dynatemp_range:
        exponent = _in_force("dynatemp_exponent", config)
        return DynamicTemperature(temperature, config.dynatemp_range, exponent)
    return Temperature(temperature) if temperature != 1 else None


def _top_k(k: int, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TopK(k, ties=config.rules.ties, min_tokens_to_keep=_keep(config)) if k else None


def _top_p(p: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TopP(p, min_tokens_to_keep=_keep(config)) if p < 1 else None


def _min_p(p: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return MinP(p, min_tokens_to_keep=_keep(config)) if p else None


def _typical_p(p: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    return TypicalP(p, min_tokens_to_keep=_keep(config)) if p < 1 else None


def _in_force(name: str, config: GenerationConfig) -> Any:
    """The setting, or what holds where it is not set."""
    value = getattr(config, name)
    return SETTINGS[name].if_not_set if value is None else value


def _keep(config: GenerationConfig) -> int:
    return config.min_tokens_to_keep or 1


def _mirostat(version: int, config: GenerationConfig, context: ChainContext) -> Processor | None:
    tau, eta = _in_force("mirostat_tau", config), _in_force("mirostat_eta", config)
    if version == 1:
        return MirostatV1(tau, eta, context.vocab_size)
    return MirostatV2(tau, eta) if version == 2 else None


def _adaptive(target: float, config: GenerationConfig, _: ChainContext) -> Processor:
    return AdaptiveP(target, _in_force("adaptive_decay", config))


def _xtc(probability: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    if not probability:
        return None
    threshold = _in_force("xtc_threshold", config)
    return XTC(probability, threshold, config.seed or 0, _ids(config.xtc_exempt_tokens))


def _repetition(penalty: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    scope = config.rules.repetition_scope if config.penalty_scope is None else config.penalty_scope
    exempt = _ids(config.penalty_exempt_tokens)
    return RepetitionPenalty(penalty, scope, exempt) if penalty != 1 else None


def _counting(kind: type[FrequencyPenalty] | type[PresencePenalty]) -> Maker:
    def make(penalty: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
        scope = config.rules.count_scope if config.penalty_scope is None else config.penalty_scope
        return kind(penalty, scope, _ids(config.penalty_exempt_tokens)) if penalty else None

    return make


def _dry(multiplier: float, config: GenerationConfig, context: ChainContext) -> Processor | None:
    if not multiplier:
        return None
    base, allowed = _in_force("dry_base", config), _in_force("dry_allowed_length", config)
    return DRY(multiplier, base, allowed, config.dry_penalty_last_n, context.dry_breakers)


def _bad_words(words: Any, config: GenerationConfig, context: ChainContext) -> Processor:
    raise _has_texts("bad_words")


def _logit_bias(
    biases: Mapping[Any, float], config: GenerationConfig, context: ChainContext
) -> Processor | None:
    if any(isinstance(key, str) for key in biases):
        raise _has_texts("logit_bias")
    return LogitBias(biases) if biases else None


def _has_texts(name: str) -> ConfigError:
    return ConfigError(f"{name} has texts: must have token ids by now, from a tokenizer")


def _forced_eos(
    ids: Iterable[int], config: GenerationConfig, context: ChainContext
) -> Processor | None:
    return None if context.max_length is None else ForcedEOS(context.max_length, ids)


def _min_length(total: int, config: GenerationConfig, context: ChainContext) -> Processor | None:
    return MinLength(total, _ends(config, context)) if total else None


def _min_new_tokens(n: int, config: GenerationConfig, context: ChainContext) -> Processor | None:
    return MinNewTokens(n, _ends(config, context)) if n else None


def _decay(decay: tuple[int, float], config: GenerationConfig, context: ChainContext) -> Processor:
    start, factor = decay
    return ExponentialDecay(start, factor, context.eos_token_ids)


def _ends(config: GenerationConfig, context: ChainContext) -> frozenset[int]:
    return context.eos_token_ids | _ids(config.stop_token_ids)


def _ids(value: Iterable[int] | None) -> frozenset[int]:
    return frozenset(value or ())


Maker = Callable[[Any, GenerationConfig, ChainContext], "Processor | None"]

MAKERS: dict[str, Maker] = {
    "sequence_bias": lambda biases, *_: SequenceBias(biases),
    "logit_bias": _logit_bias,
    "repetition_penalty": _repetition,
    "frequency_penalty": _counting(FrequencyPenalty),
    "presence_penalty": _counting(PresencePenalty),
    "dry_multiplier": _dry,
    "no_repeat_ngram_size": lambda size, *_: NoRepeatNGram(size) if size else None,
    "bad_words": _bad_words,
    "bad_words_ids": lambda sequences, *_: BadWords(sequences),
    "allowed_token_ids": lambda ids, *_: AllowedTokens(ids),
    "suppress_tokens": lambda ids, *_: SuppressTokens(ids),
    "begin_suppress_tokens": lambda ids, *_: BeginSuppress(ids),
    "min_length": _min_length,
    "min_new_tokens": _min_new_tokens,
    "prefix_allowed_tokens_fn": lambda function, *_: PrefixAllowed(function),
    "forced_bos_token_id": lambda token_id, *_: ForcedBOS(token_id),
    "forced_eos_token_id": _forced_eos,
    "remove_invalid_values": lambda *_: RemoveInvalidValues(),
    "exponential_decay_length_penalty": _decay,
    "top_n_sigma": lambda n, *_: TopNSigma(n) if n else None,
    "temperature": _temperature,
    "top_h": lambda share, *_: TopH(share),
    "top_k": _top_k,
    "top_p": _top_p,
    "min_p": _min_p,
    "typical_p": _typical_p,
    "epsilon_cutoff": lambda epsilon, *_: EpsilonCutoff(epsilon) if epsilon else None,
    "eta_cutoff": lambda epsilon, *_: EtaCutoff(epsilon) if epsilon else None,
    "xtc_probability": _xtc,
    "mirostat": _mirostat,
    "adaptive_target": _adaptive,
    "renormalize_logits": lambda *_: Renormalize(),
}
"""For each stage, its processor, from the setting's value; None where the value does nothing."""
