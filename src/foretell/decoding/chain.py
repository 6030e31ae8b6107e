"""From settings to the processors that they turn on, in the dialect's order (row 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.dialects import SAMPLER_STAGES, Scope
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

XTC_THRESHOLD = 0.1
MIROSTAT_TAU, MIROSTAT_ETA = 5.0, 0.1
ADAPTIVE_DECAY = 0.9
DRY_BASE, DRY_ALLOWED_LENGTH = 1.75, 2


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
    processor = MAKERS[name](config, context)
    if processor is None:
        return []
    return [Stage(name, _shown(value), processor, name in SAMPLER_STAGES)]


def _shown(value: Any) -> str:
    if isinstance(value, (dict, tuple)) and len(value) > 3:
        return f"{len(value)} entries"
    return getattr(value, "__name__", str(value))


def _keep(config: GenerationConfig) -> int:
    return config.min_tokens_to_keep or 1


def _temperature(config: GenerationConfig, context: ChainContext) -> Processor | None:
    temperature = 1.0 if config.temperature is None else config.temperature
    temperature = max(temperature, config.rules.least_temperature)
    if config.dynatemp_range:
        exponent = config.dynatemp_exponent or 1.0
        return DynamicTemperature(temperature, config.dynatemp_range, exponent)
    return Temperature(temperature) if temperature != 1 else None


def _top_k(config: GenerationConfig, context: ChainContext) -> Processor | None:
    if not config.top_k:
        return None
    return TopK(config.top_k, ties=config.rules.ties, min_tokens_to_keep=_keep(config))


def _top_p(config: GenerationConfig, context: ChainContext) -> Processor | None:
    p = 1.0 if config.top_p is None else config.top_p
    return TopP(p, min_tokens_to_keep=_keep(config)) if p < 1 else None


def _min_p(config: GenerationConfig, context: ChainContext) -> Processor | None:
    return MinP(config.min_p, min_tokens_to_keep=_keep(config)) if config.min_p else None


def _typical_p(config: GenerationConfig, context: ChainContext) -> Processor | None:
    p = 1.0 if config.typical_p is None else config.typical_p
    return TypicalP(p, min_tokens_to_keep=_keep(config)) if p < 1 else None


def _mirostat(config: GenerationConfig, context: ChainContext) -> Processor | None:
    tau = MIROSTAT_TAU if config.mirostat_tau is None else config.mirostat_tau
    eta = MIROSTAT_ETA if config.mirostat_eta is None else config.mirostat_eta
    if config.mirostat == 1:
        return MirostatV1(tau, eta, context.vocab_size)
    return MirostatV2(tau, eta) if config.mirostat == 2 else None


def _adaptive(config: GenerationConfig, context: ChainContext) -> Processor | None:
    decay = ADAPTIVE_DECAY if config.adaptive_decay is None else config.adaptive_decay
    return AdaptiveP(_value(config.adaptive_target), decay)


def _xtc(config: GenerationConfig, context: ChainContext) -> Processor | None:
    if not config.xtc_probability:
        return None
    threshold = XTC_THRESHOLD if config.xtc_threshold is None else config.xtc_threshold
    return XTC(
        config.xtc_probability, threshold, config.seed or 0, frozen_ids(config.xtc_exempt_tokens)
    )


def _repetition(config: GenerationConfig, context: ChainContext) -> Processor | None:
    penalty = _value(config.repetition_penalty)
    scope = scope_of(config, config.rules.repetition_scope)
    exempt = frozen_ids(config.penalty_exempt_tokens)
    return RepetitionPenalty(penalty, scope, exempt) if penalty != 1 else None


def _frequency(config: GenerationConfig, context: ChainContext) -> Processor | None:
    scope = scope_of(config, config.rules.count_scope)
    exempt = frozen_ids(config.penalty_exempt_tokens)
    penalty = config.frequency_penalty
    return FrequencyPenalty(penalty, scope, exempt) if penalty else None


def _presence(config: GenerationConfig, context: ChainContext) -> Processor | None:
    scope = scope_of(config, config.rules.count_scope)
    exempt = frozen_ids(config.penalty_exempt_tokens)
    penalty = config.presence_penalty
    return PresencePenalty(penalty, scope, exempt) if penalty else None


def scope_of(config: GenerationConfig, default: Scope) -> Scope:
    """What a penalty looks back on: what the user says, else the dialect."""
    return default if config.penalty_scope is None else config.penalty_scope


def _dry(config: GenerationConfig, context: ChainContext) -> Processor | None:
    if not config.dry_multiplier:
        return None
    base = DRY_BASE if config.dry_base is None else config.dry_base
    allowed = DRY_ALLOWED_LENGTH if config.dry_allowed_length is None else config.dry_allowed_length
    return DRY(
        config.dry_multiplier, base, allowed, config.dry_penalty_last_n, context.dry_breakers
    )


def _no_strings(name: str) -> ConfigError:
    return ConfigError(f"{name} has texts: must have token ids by now, from a tokenizer")


def _bad_words(config: GenerationConfig, context: ChainContext) -> Processor | None:
    raise _no_strings("bad_words")


def _logit_bias(config: GenerationConfig, context: ChainContext) -> Processor | None:
    biases = {key: bias for key, bias in (config.logit_bias or {}).items() if isinstance(key, int)}
    if len(biases) < len(config.logit_bias or {}):
        raise _no_strings("logit_bias")
    return LogitBias(biases) if biases else None


def _forced_eos(config: GenerationConfig, context: ChainContext) -> Processor | None:
    if context.max_length is None:
        return None
    return ForcedEOS(context.max_length, frozen_ids(_value(config.forced_eos_token_id)))


def _stop_ids(config: GenerationConfig, context: ChainContext) -> frozenset[int]:
    return context.eos_token_ids | frozen_ids(config.stop_token_ids)


def _decay(config: GenerationConfig, context: ChainContext) -> Processor | None:
    start, factor = _value(config.exponential_decay_length_penalty)
    return ExponentialDecay(start, factor, context.eos_token_ids)


def frozen_ids(value: Iterable[int] | None) -> frozenset[int]:
    """Token ids of a setting, none if it is not set."""
    return frozenset(value or ())


def _value(value: Any) -> Any:
    """What `_stages` has found to be set."""
    return value


Maker = Callable[[GenerationConfig, ChainContext], "Processor | None"]

MAKERS: dict[str, Maker] = {
    "sequence_bias": lambda config, _: SequenceBias(_value(config.sequence_bias)),
    "logit_bias": _logit_bias,
    "repetition_penalty": _repetition,
    "frequency_penalty": _frequency,
    "presence_penalty": _presence,
    "dry_multiplier": _dry,
    "no_repeat_ngram_size": lambda config, _: (
        NoRepeatNGram(config.no_repeat_ngram_size) if config.no_repeat_ngram_size else None
    ),
    "bad_words": _bad_words,
    "bad_words_ids": lambda config, _: BadWords(_value(config.bad_words_ids)),
    "allowed_token_ids": lambda config, _: AllowedTokens(frozen_ids(config.allowed_token_ids)),
    "suppress_tokens": lambda config, _: SuppressTokens(frozen_ids(config.suppress_tokens)),
    "begin_suppress_tokens": lambda config, _: BeginSuppress(
        frozen_ids(config.begin_suppress_tokens)
    ),
    "min_length": lambda config, context: MinLength(
        _value(config.min_length), _stop_ids(config, context)
    ),
    "min_new_tokens": lambda config, context: MinNewTokens(
        _value(config.min_new_tokens), _stop_ids(config, context)
    ),
    "prefix_allowed_tokens_fn": lambda config, _: PrefixAllowed(
        _value(config.prefix_allowed_tokens_fn)
    ),
    "forced_bos_token_id": lambda config, _: ForcedBOS(_value(config.forced_bos_token_id)),
    "forced_eos_token_id": _forced_eos,
    "remove_invalid_values": lambda config, _: RemoveInvalidValues(),
    "exponential_decay_length_penalty": _decay,
    "top_n_sigma": lambda config, _: TopNSigma(config.top_n_sigma) if config.top_n_sigma else None,
    "temperature": _temperature,
    "top_h": lambda config, _: TopH(_value(config.top_h)),
    "top_k": _top_k,
    "top_p": _top_p,
    "min_p": _min_p,
    "typical_p": _typical_p,
    "epsilon_cutoff": lambda config, _: (
        EpsilonCutoff(config.epsilon_cutoff) if config.epsilon_cutoff else None
    ),
    "eta_cutoff": lambda config, _: EtaCutoff(config.eta_cutoff) if config.eta_cutoff else None,
    "xtc_probability": _xtc,
    "mirostat": _mirostat,
    "adaptive_target": _adaptive,
    "renormalize_logits": lambda config, _: Renormalize(),
}
