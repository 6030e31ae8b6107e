"""Settings that make no sense together, and those that are legal and yet odd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from foretell.config.choices import NEVER
from foretell.config.foreign_names import hint
from foretell.config.presets import MODEL_PRESET
from foretell.config.searches import texts_held
from foretell.config.settings import FORMS, RANGES, SAMPLING_SETTINGS, SETTINGS
from foretell.errors import ConfigError
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.config.generation import GenerationConfig

RIVALS_OF_MIROSTAT = tuple(
    name for name, row in SETTINGS.items() if row.kind.cuts and name != "mirostat"
)
"""Mirostat chooses the cut itself."""

PAIRS = {name: row.at_most for name, row in SETTINGS.items() if row.at_most}
"""A setting, and the one that it must not be above."""

INCOMPATIBLE = {
    (name, other): reason
    for name, row in SETTINGS.items()
    for other, reason in row.not_with.items()
}
"""Two settings that do not go together, and why."""

MAKES_SAMPLES_DIFFER = tuple(name for name, row in SETTINGS.items() if row.makes_samples_differ)
"""Each gives several texts of a prompt even where nothing is drawn."""

BESIDE_TAGS = (["json_schema", "structural_tag"], ["json", "structural_tag"])
"""Two forms that go together: a text is tags alone, or JSON."""

_USEFUL = {name: span for name, span in RANGES.items() if span.useful is not None}


def refuse(config: GenerationConfig) -> None:
    """Raise ConfigError where two settings contradict each other, or one could have no effect."""
    _refuse_greedy_sampling(config)
    _refuse_rivals(config)
    _refuse_lonely(config)
    _refuse_lengths(config)
    _refuse_chain(config)
    if config.preset != MODEL_PRESET:  # it may yet come to sample
        refuse_equal_samples(config)
    _refuse_more_texts_than_beams(config)
    _refuse_groups(config)
    _refuse_incompatible(config)
    _refuse_two_forms(config)
    _refuse_stages_of_beams(config)
    _refuse_drawn_searches(config)
    if config.penalty_alpha:
        _refuse_drawn_contrast(config, config.penalty_alpha)


def beside_stated(filling: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """What of a preset's settings does not contradict those stated outright, which win.

    Greedy decoding leaves out all that shapes a draw, a setting that shapes one leaves out greedy
    decoding, contrastive search leaves out all that draws, mirostat leaves out other cuts, and what
    needs another setting goes without it: files of models list settings that are off.
    """
    left_out: tuple[str, ...] = ()
    mirostat = stated.get("mirostat", filling.get("mirostat"))
    if stated.get("do_sample") is False or stated.get("temperature") == 0:
        left_out = ("do_sample", *SAMPLING_SETTINGS)
    elif stated.get("penalty_alpha"):
        left_out = ("do_sample", *(name for name in SAMPLING_SETTINGS if name != "top_k"))
    elif filling.get("do_sample") is False and not stated.keys().isdisjoint(SAMPLING_SETTINGS):
        left_out = ("do_sample",)
    elif mirostat:
        has_rival = not stated.keys().isdisjoint(RIVALS_OF_MIROSTAT)
        left_out = ("mirostat",) if has_rival and "mirostat" not in stated else RIVALS_OF_MIROSTAT
    kept = {name: value for name, value in filling.items() if name not in left_out}
    return {name: value for name, value in kept.items() if _has_host(name, {**kept, **stated})}


def _has_host(name: str, values: Mapping[str, Any]) -> bool:
    """Whether one of the settings that this one needs is on among these, if it needs any."""
    hosts = SETTINGS[name].needs
    return not hosts or any(
        host in values and not SETTINGS[host].is_off_at(values[host]) for host in hosts
    )


def refuse_equal_samples(config: GenerationConfig) -> None:
    """Raise ConfigError where all samples of a prompt would be the same."""
    if config.num_return_sequences == 1 or config.is_sampling:
        return
    if not any(_is_on(config, name) for name in MAKES_SAMPLES_DIFFER):
        others = "".join(f"{name}, " for name in MAKES_SAMPLES_DIFFER)
        raise ConfigError(
            f"num_return_sequences={config.num_return_sequences} contradicts greedy decoding, "
            f"which writes one text: set a sampling setting (temperature, top_p, ...), {others}"
            f"or drop it"
        )


def _refuse_more_texts_than_beams(config: GenerationConfig) -> None:
    if 1 < config.num_beams < config.num_return_sequences:
        raise ConfigError(
            f"num_return_sequences={config.num_return_sequences} is above "
            f"num_beams={config.num_beams}: lower it, or raise num_beams"
        )
    groups = config.num_beam_groups
    held = groups * texts_held(config.num_beams // groups, config.patience)
    if config.patience is not None and held < config.num_return_sequences:
        raise ConfigError(
            f"num_return_sequences={config.num_return_sequences} is above the {held} with which a "
            f"search of num_beams={config.num_beams} ends by patience={config.patience:g}: "
            f"lower it, or raise patience"
        )
    if config.patience is not None and config.early_stopping == NEVER:
        raise ConfigError(
            f"patience={config.patience:g} contradicts early_stopping={NEVER!r}: drop one"
        )


def _refuse_groups(config: GenerationConfig) -> None:
    """Beams that cannot be shared by the groups, or groups that would all say the same."""
    groups = config.num_beam_groups
    if config.num_beams % groups:
        raise ConfigError(
            f"num_beam_groups={groups} does not divide num_beams={config.num_beams}: "
            f"each group has as many beams"
        )
    if groups > 1 and not config.diversity_penalty:
        raise ConfigError(
            f"num_beam_groups={groups} has no effect without diversity_penalty above 0: "
            f"all groups would find the same"
        )


def _refuse_drawn_searches(config: GenerationConfig) -> None:
    """Searches for the best texts, where tokens are drawn; and the other way round."""
    for name in ("num_beam_groups", "force_words") if config.is_sampling else ():
        if _is_on(config, name):
            raise ConfigError(
                f"{name}={quote(getattr(config, name))} contradicts sampling, which draws tokens: "
                f"set do_sample=False, or drop it"
            )
    if config.stochastic_beams and not config.is_sampling:
        raise ConfigError(
            "stochastic_beams=True contradicts greedy decoding (do_sample=False or "
            "temperature=0): drop one of the two"
        )


def _refuse_incompatible(config: GenerationConfig) -> None:
    """Two settings of which a row says that they do not go together."""
    defaults = type(config)  # in line: each request comes by here
    names = [name for pair in INCOMPATIBLE for name in pair]
    found = {name for name in names if getattr(config, name) != getattr(defaults, name)}
    if len(found) < 2:
        return
    on = [name for name in found if not SETTINGS[name].is_off_at(getattr(config, name))]
    for (name, other), reason in INCOMPATIBLE.items():
        if name in on and other in on:
            raise ConfigError(
                f"{name}={quote(getattr(config, name))} contradicts "
                f"{other}={quote(getattr(config, other))}: {reason}"
            )


def _refuse_two_forms(config: GenerationConfig) -> None:
    found = [name for name in FORMS if getattr(config, name) not in (None, False)]
    if len(found) > 1 and found not in BESIDE_TAGS:
        tools = ", or the tools that it may call" if "structural_tag" in found else ""
        raise ConfigError(
            f"{found[0]} contradicts {found[1]}: a text has one form, drop one{tools}"
        )


def _refuse_stages_of_beams(config: GenerationConfig) -> None:
    if config.num_beams > 1 and tuple(config.logprobs_stage) != ("raw",):
        raise ConfigError(
            f"logprobs_stage={quote(config.logprobs_stage)} contradicts "
            f"num_beams={config.num_beams}: beams are told at the stage 'raw' only"
        )


def _refuse_drawn_contrast(config: GenerationConfig, alpha: float) -> None:
    """Contrastive search takes the best of `top_k` candidates, and draws nothing."""
    if config.top_k is None or config.top_k < 2:
        raise ConfigError(
            f"penalty_alpha={alpha:g} chooses among top_k candidates: top_k={config.top_k} must be "
            "2 or more"
        )
    for name in ("do_sample", *SAMPLING_SETTINGS):
        value = getattr(config, name)
        if name != "top_k" and _is_on(config, name) and (name, value) != ("temperature", 0):
            raise ConfigError(
                f"{name}={quote(value)} contradicts penalty_alpha={alpha:g}: contrastive search "
                "draws nothing, drop one of the two"
            )


def _refuse_greedy_sampling(config: GenerationConfig) -> None:
    if config.do_sample is False:
        for name in SAMPLING_SETTINGS:
            value = getattr(config, name)
            if name == "top_k" and config.penalty_alpha:
                continue
            if value is not None and not (name == "temperature" and value == 0):
                raise ConfigError(
                    f"{name}={quote(value)} has no effect with do_sample=False (greedy): "
                    f"drop one of the two"
                )
    if config.do_sample and config.temperature == 0:
        raise ConfigError("do_sample=True contradicts temperature=0 (greedy): drop one")


def _refuse_rivals(config: GenerationConfig) -> None:
    """Settings that cut, beside mirostat."""
    if config.mirostat:
        for name in RIVALS_OF_MIROSTAT:
            value = getattr(config, name)
            if not SETTINGS[name].is_off_at(value):
                raise ConfigError(
                    f"{name}={quote(value)} contradicts mirostat={config.mirostat}, "
                    f"which chooses the cut itself: drop one"
                )


def needs_of(name: str) -> str:
    """What a setting has no effect without, in words; empty if it needs nothing."""
    hosts = SETTINGS[name].needs
    return " or ".join(f"{host} {SETTINGS[host].on_when}".rstrip() for host in hosts)


def _refuse_lonely(config: GenerationConfig) -> None:
    for name, value in config.stated.items():
        hosts = SETTINGS[name].needs
        if hosts and not any(_is_set(config, host) for host in hosts):
            raise ConfigError(f"{name}={quote(value)} has no effect without {needs_of(name)}")
    if config.processors is not None and config.logits_processor is not None:
        raise ConfigError("processors and logits_processor contradict each other: put all in one")


def _is_set(config: GenerationConfig, name: str) -> bool:
    """Whether a setting was stated or filled in: the default is the class's attribute."""
    return bool(getattr(config, name) != getattr(type(config), name))


def _is_on(config: GenerationConfig, name: str) -> bool:
    """Whether a setting was set, and not to a value that turns it off: None, False or neutral."""
    return _is_set(config, name) and not SETTINGS[name].is_off_at(getattr(config, name))


def _refuse_lengths(config: GenerationConfig) -> None:
    for low, high in PAIRS.items():
        least, most = getattr(config, low), getattr(config, high)
        if least is not None and most is not None and least > most:
            raise ConfigError(
                f"{low}={quote(least)} is above {high}={quote(most)}: lower it, or raise {high}"
            )
    if config.forced_eos_token_id is not None and not (config.max_new_tokens or config.max_length):
        raise ConfigError("forced_eos_token_id has no effect without max_new_tokens or max_length")


def _refuse_chain(config: GenerationConfig) -> None:
    """A chain of the user's own must have a place for every setting that is on."""
    if config.processors is None:
        return
    order = config.rules.order
    for item in config.processors:
        if isinstance(item, str) and item not in order:
            names = "a stage bears the name of its setting"
            raise ConfigError(f"processors has {quote(item)}: {hint(item, order, names)}")
    for name, value in config.stated.items():
        is_off = SETTINGS[name].is_off_at(value)
        if name in order and name not in config.processors and not is_off:
            raise ConfigError(
                f"{name} is set, but processors has no {name!r}: add it, or drop the setting"
            )


def warnings_of(config: GenerationConfig) -> tuple[str, ...]:
    """Values outside the useful range, and samplers that greedy decoding passes over."""
    odd = {}
    for name, span in _USEFUL.items():
        value = getattr(config, name)
        if value is not None and (warning := span.warning(name, value)):
            odd[name] = warning
    found = [odd[name] for name in vars(config) if name in odd] if odd else []
    if config.temperature == 0:
        candidates = ("top_k",) if config.penalty_alpha else ()
        for name in SAMPLING_SETTINGS:
            value = getattr(config, name)
            if value is not None and name not in ("temperature", *candidates):
                found.append(f"{name}={quote(value)} has no effect with temperature=0 (greedy)")
    return tuple(found)
