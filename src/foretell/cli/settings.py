"""`GenerationConfig`'s settings as command-line options, under headings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from foretell.config import RANGES, GenerationConfig
from foretell.config.dialects import DIALECTS
from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.config.values import VALUES, RepetitionDetection, boolean
from foretell.errors import ConfigError, SettingWarning
from foretell.guide.entries import GROUPS, meaning_of

FUNCTIONS = ("logits_processor", "prefix_allowed_tokens_fn", "stopping_criteria")
"""Settings that are functions of Python, and so no options."""

USUAL = (
    *("max_new_tokens", "do_sample", "temperature", "top_k", "top_p", "min_p"),
    *("repetition_penalty", "frequency_penalty", "presence_penalty", "stop", "seed", "preset"),
)
"""What most people need, listed first."""

USUAL_HEADING = "Usual settings"
OTHER_HEADING = "Model, prompt and output"


if TYPE_CHECKING:
    AnyType = click.ParamType[Any]
else:  # older releases of click do not subscript it
    AnyType = click.ParamType


class Written(AnyType):
    """A value with a form of its own; `convert` raises ValueError if the text has not this form."""

    def __init__(self, form: str, convert: Callable[[str], Any]) -> None:
        self.name = form
        self._convert = convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read one occurrence of the option."""
        try:
            return self._convert(value) if isinstance(value, str) else value
        except ConfigError:  # a ValueError too, but it says more
            raise
        except ValueError:
            self.fail(f"{value!r} must be {self.name}", param, ctx)


class SettingOption(click.Option):
    """An option that stands for a setting, under a heading of `--help`."""

    def __init__(self, *args: Any, heading: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class SettingsCommand(click.Command):
    """A command whose `--help` lists options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of no heading first."""
        sections: dict[str, list[tuple[str, str]]] = {OTHER_HEADING: [], USUAL_HEADING: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                heading = param.heading if isinstance(param, SettingOption) else OTHER_HEADING
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _ids(text: str) -> tuple[int, ...]:
    return tuple(int(item) for item in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


def _token_bias(text: str) -> tuple[int | str, float]:
    """The token is an id, a text, or a text in double quotes (for one of digits, or with \\n)."""
    token, separator, bias = text.rpartition("=")
    if not (separator and token):
        raise ValueError(text)
    if len(token) > 1 and token[0] == token[-1] == '"':
        token = json.loads(token)
        return token, float(bias)
    return int(token) if token.isdecimal() else token, float(bias)


def _sequence_bias(text: str) -> tuple[tuple[int, ...], float]:
    ids, _, bias = text.partition("=")
    return _ids(ids), float(bias)


def _scope(text: str) -> int | str:
    return text if text in ("prompt", "output", "all") else int(text)


def _decay(text: str) -> tuple[int, float]:
    start, _, factor = text.partition(",")
    return int(start), float(factor)


def _detection(text: str) -> RepetitionDetection | bool:
    if text == "on":
        return True
    longest, shortest, count = _ids(text)
    return RepetitionDetection(longest, shortest, count)


def _early(text: str) -> bool | str:
    if text in ("on", "off"):
        return text == "on"
    if text != "never":
        raise ValueError(text)
    return text


def _flat(values: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    return tuple(item for value in values for item in value)


IDS = Written("ID[,ID...]", _ids)
CHAIN = Written("NAME[,NAME...]", _names)

REPEATED: dict[str, tuple[AnyType, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        ("stop", "stop_regex", "bad_words", "dry_sequence_breakers"), (click.STRING, tuple)
    ),
    **dict.fromkeys(
        (
            *("eos_token_id", "stop_token_ids", "allowed_token_ids", "suppress_tokens"),
            *("begin_suppress_tokens", "penalty_exempt_tokens", "xtc_exempt_tokens"),
            "forced_eos_token_id",
        ),
        (IDS, _flat),
    ),
    "bad_words_ids": (IDS, tuple),
    "logit_bias": (Written("TOKEN=BIAS", _token_bias), dict),
    "sequence_bias": (Written("ID[,ID...]=BIAS", _sequence_bias), dict),
    "processors": (CHAIN, _flat),
    "logprobs_stage": (CHAIN, _flat),
}
"""Options that may be given several times: the form of one, and how they are put together."""

SINGLE: dict[str, AnyType] = {
    "forced_bos_token_id": click.INT,
    "negative_prompt": click.STRING,
    "penalty_scope": Written("prompt|output|all|N", _scope),
    "exponential_decay_length_penalty": Written("START,FACTOR", _decay),
    "early_stopping": Written("on|off|never", _early),
    "repetition_detection": Written("on|MAX,MIN,COUNT", _detection),
    "preset": click.Choice((*PRESETS, MODEL_PRESET)),
    "dialect": click.Choice(
        (*DIALECTS, *(f"{known.name}@{known.version}" for known in DIALECTS.values()))
    ),
}

NOTES = {
    "max_new_tokens": "[default: to the end]",
    "num_return_sequences": "[default: 1]",
    "do_sample": "[default: greedy without sampling settings]",
    "seed": "[default: drawn anew, and told]",
    "stop": "[repeatable]",
    "bad_words": "[repeatable]",
    "logit_bias": "[repeatable]",
    **dict.fromkeys(("logprobs", "prompt_logprobs", "trace"), "[needs --json]"),
}
"""What `--help` adds to the guide's words."""

SHORT = {"num_return_sequences": ("-n",)}
"""One-letter spellings."""

METAVARS = {
    "dialect": "[" + "|".join(DIALECTS) + "]",
    **{name: kind.name for name, kind in SINGLE.items() if isinstance(kind, Written)},
}


def setting_option(name: str) -> Callable[[Any], Any]:
    """The option of one setting, as a decorator."""
    words = meaning_of(name)
    note = f"  {NOTES[name]}" if name in NOTES else ""
    return click.option(
        *SHORT.get(name, ()),
        flag_of(name),
        name,
        cls=SettingOption,
        heading=_heading_of(name),
        help=f"{words[0].upper()}{words[1:]}.{note}",
        **_kind_of(name),
    )


def flag_of(name: str) -> str:
    """How the setting is spelled on a command line."""
    return "--do-sample/--greedy" if name == "do_sample" else f"--{name.replace('_', '-')}"


def _kind_of(name: str) -> dict[str, Any]:
    """What click needs to know to read the setting."""
    if VALUES.get(name) is boolean:
        return {"is_flag": True, "default": None}
    if name in REPEATED:
        item, combine = REPEATED[name]
        form = item.name if isinstance(item, Written) else None
        return {"type": item, "multiple": True, "callback": _combined(combine), "metavar": form}
    return {"type": _type_of(name), "metavar": METAVARS.get(name)}


def _type_of(name: str) -> AnyType:
    if name in RANGES:
        return click.INT if RANGES[name].kind is int else click.FLOAT
    return SINGLE[name]


def _combined(combine: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(context: click.Context, param: click.Parameter, values: tuple[Any, ...]) -> Any:
        return combine(values) if values else None

    return call


def _heading_of(name: str) -> str:
    if name in USUAL:
        return USUAL_HEADING
    return next(heading for heading, names in GROUPS.items() if name in names)


_ALL = tuple(
    dict.fromkeys(name for name in (*USUAL, *_flat(GROUPS.values())) if name not in FUNCTIONS)
)
_SHAPING_BY_LENGTH = ("min_new_tokens", "min_length", "exponential_decay_length_penalty")
_RUN = tuple(
    name
    for name in ("seed", "num_return_sequences", *GROUPS["Length and end"], *GROUPS["Reports"])
    if name in _ALL and name not in _SHAPING_BY_LENGTH
)

SETTING_OPTIONS = tuple(setting_option(name) for name in _ALL)
"""Every setting that can be written on a command line, the usual ones first."""

CHAT_OPTIONS = tuple(
    setting_option(name)
    for name in _ALL
    if name not in (*GROUPS["Reports"], "num_return_sequences")
)
"""The settings that make sense where nothing but text is shown."""

SAMPLING_OPTIONS = tuple(setting_option(name) for name in _ALL if name not in _RUN)
"""The settings that shape the distribution of the next token."""

LENGTH_OPTIONS = tuple(
    setting_option(name) for name in _ALL if name in _RUN and name != "num_return_sequences"
)
"""The settings of a run of one text: the seed, where it ends, what is reported."""


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that the command line states."""
    return {name: value for name, value in settings.items() if value is not None}


def warn(config: GenerationConfig) -> None:
    """Warn of what is legal and yet unlikely to be meant, before a model is loaded.

    The command line tells each warning once, though the model repeats it.
    """
    for sentence in config.warnings:
        warnings.warn(sentence, SettingWarning, stacklevel=2)
