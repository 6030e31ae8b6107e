"""`GenerationConfig`'s settings as command-line options, under headings."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretell.config import GenerationConfig, Range
from foretell.config.choices import LAYER_GROUPS, SCOPE_NAMES
from foretell.config.defaults import (
    BEAMS_TOKENS,
    CHAT_TOKENS,
    EXPLAIN_TOKENS,
    NUM_BEAMS,
    NUM_LOGPROBS,
    TERMINAL_TOKENS,
)
from foretell.config.dialects import DIALECT_NAMES, DIALECTS
from foretell.config.settings import REPORT_SETTINGS, SEARCHING, SETTINGS, Kind
from foretell.config.validators import (
    WATERMARK_NUMBERS,
    RepetitionDetection,
    Watermark,
    quoted_digits,
)
from foretell.config.values import Notation, Values
from foretell.errors import ConfigError, SettingWarning
from foretell.utils.quoting import quote

USUAL = tuple(
    sorted((name for name in SETTINGS if SETTINGS[name].usual), key=lambda x: SETTINGS[x].usual)
)
"""What most people need, listed first."""

USUAL_HEADING = "Usual settings"
OTHER_HEADING = "Model, prompt and output"
WATERMARK_FORM = "on|NAME=VALUE[,NAME=VALUE...]"


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
            self.fail(f"{quote(value)} must be {self.name}", param, ctx)


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
        return quoted_digits(token), float(bias)
    return int(token) if token.isdecimal() else token, float(bias)


def _sequence_bias(text: str) -> tuple[tuple[int, ...], float]:
    ids, _, bias = text.partition("=")
    return _ids(ids), float(bias)


def _word(text: str) -> Any:
    """A text as it is; in JSON, a list of alternatives or of token ids."""
    return json.loads(text) if text.startswith("[") else text


def _scope(text: str) -> int | str:
    return text if text in SCOPE_NAMES else int(text)


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


def _layers(text: str) -> str | tuple[int, ...]:
    return text if text in LAYER_GROUPS else _ids(text)


def _watermark(text: str) -> Watermark:
    if text == "on":
        return Watermark()
    pairs = [item.partition("=")[::2] for item in text.split(",")]
    values = {name.strip(): value.strip() for name, value in pairs}
    fields = [one.name for one in dataclasses.fields(Watermark)]
    if not values.keys() <= {*fields}:
        names = ", ".join(fields)
        raise ConfigError(f"watermark={quote(text)} must be {WATERMARK_FORM}, of {names}")
    return Watermark(**{name: _watermark_value(name, one) for name, one in values.items()})


def _watermark_value(name: str, text: str) -> Any:
    """The number of a field that has one; other text as it is, for the field to refuse."""
    try:
        return WATERMARK_NUMBERS[name].kind(text) if name in WATERMARK_NUMBERS else text
    except ValueError:
        return text


def _form(text: str) -> str:
    """What a file says; a text that is no file's name but a schema or a grammar is that itself."""
    if text.lstrip().startswith("{") or "::=" in text or "\n" in text:
        return text
    try:
        return Path(text).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigError(f"{quote(text)} cannot be read: {reason}") from error


def _flat(values: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    return tuple(item for value in values for item in value)


IDS = Written("ID[,ID...]", _ids)

REPEATED: dict[Notation, tuple[AnyType, Callable[[Any], Any]]] = {
    Notation.TEXTS: (click.STRING, tuple),
    Notation.TOKEN_IDS: (IDS, _flat),
    Notation.ID_SEQUENCES: (IDS, tuple),
    Notation.TOKEN_BIASES: (Written("TOKEN=BIAS", _token_bias), dict),
    Notation.SEQUENCE_BIASES: (Written("ID[,ID...]=BIAS", _sequence_bias), dict),
    Notation.WORDS: (Written("TEXT|JSON", _word), tuple),
    Notation.NAMES: (Written("NAME[,NAME...]", _names), _flat),
}
"""Options that may be given several times: the form of one, and how they are put together."""

SINGLE: dict[Notation, AnyType] = {
    Notation.TOKEN_ID: click.INT,
    Notation.TEXT: click.STRING,
    Notation.SCOPE: Written("prompt|output|all|N", _scope),
    Notation.DECAY: Written("START,FACTOR", _decay),
    Notation.EARLY_STOPPING: Written("on|off|never", _early),
    Notation.WATERMARK: Written(WATERMARK_FORM, _watermark),
    Notation.LAYERS: Written("low|high|N[,N...]", _layers),
    Notation.DETECTION: Written("on|MAX,MIN,COUNT", _detection),
    Notation.DIALECT: click.Choice(DIALECT_NAMES),
    Notation.PATTERN: Written("REGEX", str),
    Notation.SCHEMA: Written("FILE", _form),
    Notation.GRAMMAR: Written("FILE", _form),
}
"""Options that are given once."""


def setting_option(name: str, note: str | None = None) -> Callable[[Any], Any]:
    """The option of one setting, as a decorator; `note` stands in place of the row's own."""
    row = SETTINGS[name]
    if note is None:
        note = "[needs --json]" if row.needs_json else row.note
    if isinstance(row.values, Values) and row.values.notation in REPEATED:
        note = f"{note} [repeatable]".lstrip()
    help_text = f"{row.meaning[0].upper()}{row.meaning[1:]}."
    return click.option(
        *([row.short] if row.short else []),
        flag_of(name),
        name,
        cls=SettingOption,
        heading=USUAL_HEADING if row.usual else row.group,
        help=f"{help_text}  {note}" if note else help_text,
        **_kind_of(row.values),
    )


def is_option(name: str) -> bool:
    """Whether the setting can be written on a command line."""
    values = SETTINGS[name].values
    return isinstance(values, Range) or values.notation is not Notation.NONE


def flag_of(name: str) -> str:
    """How the setting is spelled on a command line."""
    spelled = SETTINGS[name].flag or name.replace("_", "-")
    return "--do-sample/--greedy" if name == "do_sample" else f"--{spelled}"


def _kind_of(values: Range | Values) -> dict[str, Any]:
    """What click needs to know to read such values."""
    if isinstance(values, Range):
        return {"type": click.INT if values.kind is int else click.FLOAT}
    if values.notation is Notation.FLAG:
        return {"is_flag": True, "default": None}
    if values.notation in REPEATED:
        item, combine = REPEATED[values.notation]
        form = item.name if isinstance(item, Written) else None
        return {"type": item, "multiple": True, "callback": _combined(combine), "metavar": form}
    if values.notation is Notation.CHOICE:
        return {"type": click.Choice(values.choices)}
    kind = SINGLE[values.notation]
    if values.notation is Notation.DIALECT:
        return {"type": kind, "metavar": f"[{'|'.join(DIALECTS)}]"}
    return {"type": kind, "metavar": kind.name if isinstance(kind, Written) else None}


def _combined(combine: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(context: click.Context, param: click.Parameter, values: tuple[Any, ...]) -> Any:
        return combine(values) if values else None

    return call


_ALL = tuple(dict.fromkeys(name for name in (*USUAL, *SETTINGS) if is_option(name)))
_OF_RUN = (Kind.RUN, Kind.REPORT, Kind.END, Kind.LAST)


def _options(without: Collection[str] = (), **notes: str) -> tuple[Callable[[Any], Any], ...]:
    """All settings but some, the usual ones first; `notes` say what a command's defaults are."""
    return tuple(setting_option(name, notes.get(name)) for name in _ALL if name not in without)


SETTING_OPTIONS = _options(
    max_new_tokens=f"[default: {TERMINAL_TOKENS} on a terminal, elsewhere until the text ends]",
    num_return_sequences="[default: 1; --max-new-tokens is what sets a length]",
)
"""Every setting that can be written on a command line."""

BATCH_OPTIONS = _options(
    max_new_tokens="[default: 16 for a completion; a chat's answer has all the context's room]",
    do_sample="[default: draw at temperature 1, unless settings say how to choose]",
    temperature="[default: 1, unless settings say how to choose]",
    num_return_sequences="[default: 1]",
)
"""The settings of rows that state none: what is left open is as the server has it."""

BEAMS_OPTIONS = _options(
    ("trace", "logprobs_stage"),
    max_new_tokens=f"[default: {BEAMS_TOKENS}]",
    num_beams=f"[default: {NUM_BEAMS}]",
)
"""The settings of a search whose tree is shown."""

CHAT_OPTIONS = _options(
    (*REPORT_SETTINGS, "num_return_sequences"),
    max_new_tokens=f"[default: {CHAT_TOKENS}]",
    do_sample="[default: draw]",
    preset="[default: chat, unless settings say how to draw]",
)
"""The settings that make sense where nothing but text is shown."""

EXPLAIN_OPTIONS = _options(
    ("trace", "logprobs_stage", "prompt_logprobs", "num_return_sequences", *SEARCHING),
    max_new_tokens=f"[default: {EXPLAIN_TOKENS}]",
    logprobs=f"[default: {NUM_LOGPROBS}]",
)
"""The settings of one text whose tokens are explained; what is recorded of it is not a choice."""

SAMPLING_OPTIONS = _options(
    (*SEARCHING, *(name for name in _ALL if SETTINGS[name].kind in _OF_RUN))
)
"""The settings that shape the distribution of the next token."""


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that the command line states."""
    return {name: value for name, value in settings.items() if value is not None}


def warn(config: GenerationConfig) -> None:
    """Warn of what is legal and yet unlikely to be meant, before a model is loaded.

    The command line shows each warning once, though the model repeats it.
    """
    for sentence in config.warnings:
        warnings.warn(sentence, SettingWarning, stacklevel=2)
