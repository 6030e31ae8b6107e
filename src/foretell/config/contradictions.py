"""Settings that make no sense together, and those that are legal and yet odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.config.presets import MODEL_PRESET
from foretell.config.ranges import RANGES
from foretell.errors import ConfigError

if TYPE_CHECKING:
    from foretell.config.generation import GenerationConfig

SAMPLING_SETTINGS = (
    "temperature",
    "dynatemp_range",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "top_h",
    "top_n_sigma",
    "xtc_probability",
    "mirostat",
    "adaptive_target",
)
"""Any of them makes decoding sample."""

TRUNCATIONS = SAMPLING_SETTINGS[2:11]

NEEDS = {
    "dynatemp_exponent": ("dynatemp_range",),
    "xtc_threshold": ("xtc_probability",),
    "xtc_exempt_tokens": ("xtc_probability",),
    "mirostat_tau": ("mirostat",),
    "mirostat_eta": ("mirostat",),
    "adaptive_decay": ("adaptive_target",),
    "penalty_scope": ("repetition_penalty", "frequency_penalty", "presence_penalty"),
    "penalty_exempt_tokens": ("repetition_penalty", "frequency_penalty", "presence_penalty"),
    "dry_base": ("dry_multiplier",),
    "dry_allowed_length": ("dry_multiplier",),
    "dry_penalty_last_n": ("dry_multiplier",),
    "dry_sequence_breakers": ("dry_multiplier",),
    "negative_prompt": ("guidance_scale",),
    "include_stop_str_in_output": ("stop", "stop_regex"),
}
"""A setting that has no effect without another (or without any of several)."""

BEAM_SETTINGS = ("length_penalty", "early_stopping")
NOT_WITH_BEAMS = {
    "mirostat": "it learns from one line of tokens",
    "adaptive_target": "it learns from one line of tokens",
    "guidance_scale": "it takes two sequences for one text",
    "trace": "a search chooses among whole texts",
}


def refuse(config: GenerationConfig) -> None:
    """Raise ConfigError where two settings contradict each other, or one could have no effect."""
    _refuse_greedy_sampling(config)
    _refuse_rivals(config)
    _refuse_lonely(config)
    _refuse_lengths(config)
    _refuse_chain(config)
    if config.preset != MODEL_PRESET:  # it may yet come to sample
        refuse_equal_samples(config)
    _refuse_beams(config)


def refuse_equal_samples(config: GenerationConfig) -> None:
    """Raise ConfigError where all samples of a prompt would be the same."""
    if config.num_return_sequences > 1 and not config.samples and config.num_beams == 1:
        raise ConfigError(
            f"num_return_sequences={config.num_return_sequences} contradicts greedy decoding, "
            f"which writes one text: set a sampling setting (temperature, top_p, ...), num_beams, "
            f"or drop it"
        )


def _refuse_beams(config: GenerationConfig) -> None:
    """What beam search does not go with, and what goes with it only."""
    if config.num_beams == 1:
        for name in BEAM_SETTINGS:
            if name in config.stated:
                value = getattr(config, name)
                raise ConfigError(f"{name}={value!r} has no effect without num_beams above 1")
        return
    if config.num_return_sequences > config.num_beams:
        raise ConfigError(
            f"num_return_sequences={config.num_return_sequences} is above "
            f"num_beams={config.num_beams}: must not be"
        )
    for name, reason in NOT_WITH_BEAMS.items():
        value = getattr(config, name)
        if value not in (None, False, 0):
            raise ConfigError(
                f"{name}={value!r} contradicts num_beams={config.num_beams}: {reason}"
            )
    if tuple(config.logprobs_stage) != ("raw",):
        raise ConfigError(
            f"logprobs_stage={config.logprobs_stage!r} contradicts num_beams={config.num_beams}: "
            f"beams are told at the stage 'raw' only"
        )


def _refuse_greedy_sampling(config: GenerationConfig) -> None:
    if config.do_sample is False:
        for name in SAMPLING_SETTINGS:
            value = getattr(config, name)
            if value is not None and not (name == "temperature" and value == 0):
                raise ConfigError(
                    f"{name}={value!r} has no effect with do_sample=False (greedy): "
                    f"drop one of the two"
                )
    if config.do_sample and config.temperature == 0:
        raise ConfigError("do_sample=True contradicts temperature=0 (greedy): drop one")


def _refuse_rivals(config: GenerationConfig) -> None:
    """Mirostat and adaptive-p each choose the cut themselves."""
    if config.mirostat:
        for name in (*TRUNCATIONS, "adaptive_target"):
            value = getattr(config, name)
            if value is not None and not RANGES[name].neutral == value:
                raise ConfigError(
                    f"{name}={value!r} contradicts mirostat={config.mirostat}, "
                    f"which chooses the cut itself: drop one"
                )


def _refuse_lonely(config: GenerationConfig) -> None:
    for name, hosts in NEEDS.items():
        value = getattr(config, name)
        if value is None or value is False:
            continue
        if not any(getattr(config, host) not in (None, ()) for host in hosts):
            raise ConfigError(f"{name}={value!r} has no effect without {' or '.join(hosts)}")
    if config.logprobs is None and tuple(config.logprobs_stage) != ("raw",):
        raise ConfigError(
            f"logprobs_stage={config.logprobs_stage!r} has no effect without logprobs"
        )
    if config.processors is not None and config.logits_processor is not None:
        raise ConfigError("processors and logits_processor contradict each other: put all in one")


def _refuse_lengths(config: GenerationConfig) -> None:
    pairs = (("min_new_tokens", "max_new_tokens"), ("min_length", "max_length"))
    for low, high in pairs:
        least, most = getattr(config, low), getattr(config, high)
        if least is not None and most is not None and least > most:
            raise ConfigError(f"{low}={least} is above {high}={most}: must not be")
    if config.forced_eos_token_id is not None and not (config.max_new_tokens or config.max_length):
        raise ConfigError("forced_eos_token_id has no effect without max_new_tokens or max_length")


def _refuse_chain(config: GenerationConfig) -> None:
    """A chain of the user's own must have a place for every setting that is on."""
    if config.processors is None:
        return
    order = config.rules.order
    for item in config.processors:
        if isinstance(item, str) and item not in order:
            raise ConfigError(f"processors has {item!r}: must be one of {', '.join(order)}")
    for name, value in config.stated.items():
        is_neutral = name in RANGES and RANGES[name].neutral == value
        if name in order and name not in config.processors and not is_neutral:
            raise ConfigError(
                f"{name} is set, but processors has no {name!r}: add it, or drop the setting"
            )


def warnings_of(config: GenerationConfig) -> tuple[str, ...]:
    """Values outside the useful range, and samplers that greedy decoding passes over."""
    found = []
    for name, span in RANGES.items():
        value = getattr(config, name)
        if value is not None and (warning := span.warning(name, value)):
            found.append(warning)
    if config.temperature == 0:
        for name in SAMPLING_SETTINGS[1:]:
            value = getattr(config, name)
            if value is not None:
                found.append(f"{name}={value!r} has no effect with temperature=0 (greedy)")
    return tuple(found)
