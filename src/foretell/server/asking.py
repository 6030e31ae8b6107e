"""What a request asks for, once its body has been read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.settings import CHOOSING_SETTINGS
from foretell.errors import ConfigError
from foretell.server.errors import ApiError, api_error, invalid
from foretell.server.limits import PRIORITY
from foretell.server.sorting import Fields, sort_fields
from foretell.server.state import ServerState
from foretell.server.values import checked, flag, number
from foretell.utils.quoting import quote
from foretell.worker.running import ReadPrompts

AS_OPENAI: Mapping[str, Any] = {"temperature": 1.0}
"""What holds where a request does not say how tokens are chosen, nor the server's options."""

MAX_HEADER = 1000  # characters
MOST_TOLD = 20  # names, or sentences

FEW_CHOICES = 8
"""Texts of one answer that are soon written."""


@dataclass(frozen=True)
class Asked:
    """A request, ready for the engine.

    Attributes:
        read: gives the prompts, in a helper thread.
        num_prompts: how many there are.
        config: the settings, a seed among them if tokens are drawn.
        fields: the body's, sorted.
        streams: whether the answer comes as it is written.
        includes_usage, counts_always: whether a stream tells the usage, at its end or always.
        returns_ids: whether the answer has the token ids.
        returns_receipts: whether each choice, or a response, has its receipt.
        priority: of the requests.
        parse_special: whether special tokens written out in a prompt count as such.
        default_length: most tokens of a text where the settings state none.
    """

    read: ReadPrompts
    num_prompts: int
    config: GenerationConfig
    fields: Fields
    streams: bool
    includes_usage: bool
    counts_always: bool
    returns_ids: bool
    priority: int
    parse_special: bool = False
    default_length: int | None = None
    returns_receipts: bool = False

    @property
    def num_choices(self) -> int:
        """Texts that are asked for in all."""
        return self.num_prompts * self.config.num_return_sequences

    @property
    def is_long(self) -> bool:
        """Whether a whole answer may be so long that the event loop cannot wait for it."""
        config = self.config
        reports = (config.logprobs, config.prompt_logprobs, config.trace or None)
        is_told_more = self.returns_receipts or any(one is not None for one in reports)
        return self.num_choices > FEW_CHOICES or is_told_more

    def error(self, error: BaseException) -> ApiError:
        """What an exception is to the one who asked, in the request's own words."""
        return api_error(error, self.fields.spelled)

    def headers(self) -> dict[str, str]:
        """Headers of the answer: what it was made with, and what is odd about the request."""
        told = notices(self.fields)
        if self.config.seed is not None:
            told["x-foretell-seed"] = str(self.config.seed)
        return told


def notices(fields: Fields) -> dict[str, str]:
    """Headers that name what nothing is made of, and say what is odd about the rest."""
    told: dict[str, str] = {}
    if fields.unknown:
        told["x-foretell-ignored"] = _listed(", ", fields.unknown)
    if fields.warnings:
        told["x-foretell-warning"] = _listed("; ", dict.fromkeys(fields.warnings))
    return told


def _listed(between: str, texts: Iterable[str]) -> str:
    """Texts as one header: what there is room for where proxies keep heads of 4 KiB."""
    return between.join(map(_header_safe, islice(texts, MOST_TOLD)))[:MAX_HEADER].strip()


def _header_safe(text: str) -> str:
    """A text as a header can have it: some of it, in ASCII, with no space at its ends."""
    return ascii(text)[1:-1][:200].strip() or "''"


def sorted_fields(body: Mapping[str, Any], route: str, state: ServerState) -> Fields:
    """The fields of a body; ApiError if it asks for another model, or for what is not done."""
    fields = sort_fields(body, route, strict=state.options.strict)
    check_model(fields.own.get("model"), state)
    return fields


def check_model(name: Any, state: ServerState) -> None:
    """Raise ApiError if this is not the model that is served; None is whichever that is."""
    if name is None or name in state.model_names:
        return
    if not isinstance(name, str):
        raise invalid(f"model={quote(name)} must be a string", "model")
    names = ", ".join(state.model_names)
    message = f"there is no model {quote(name)} here: /v1/models lists {names}"
    raise ApiError(404, message, param="model", code="model_not_found")


def settings_in_force(
    fields: Fields, state: ServerState, fallback: Mapping[str, Any] = AS_OPENAI
) -> dict[str, Any]:
    """The settings of a request, and beside them those that hold where it states none.

    The latter are the server's, or else `fallback`. They hold only where the request does not say
    how tokens are chosen; even then what it does say counts before them.
    """
    if CHOOSING_SETTINGS & fields.settings.keys():
        return dict(fields.settings)
    return {**(state.options.defaults or fallback), **fields.settings}


def asked(
    fields: Fields,
    read: ReadPrompts,
    num_prompts: int,
    state: ServerState,
    settings: Mapping[str, Any],
) -> Asked:
    """A request of these fields, with the settings that are in force."""
    own = fields.own
    streams = flag(own, "stream")
    wishes = checked(own, "stream_options", dict, {})
    if wishes and not streams:
        raise invalid("stream_options is for streams: set stream to true", "stream_options")
    for name in wishes:
        if name not in STREAM_OPTIONS:
            fields.pass_over(f"stream_options.{name}")
    known = {name: value for name, value in wishes.items() if value is not None}
    return Asked(
        read,
        num_prompts,
        _config(settings, fields),
        fields,
        streams,
        flag(known, "include_usage"),
        flag(known, "continuous_usage_stats"),
        flag(own, "return_token_ids"),
        priority_of(fields),
        flag(own, "parse_special"),
        state.options.max_new_tokens,
        flag(own, "return_receipt"),
    )


def check_one_stage(request: Asked) -> None:
    """Raise ApiError if log-probabilities of several stages are asked for: one has a place here."""
    if len(request.config.logprobs_stage) > 1:
        raise invalid(
            "logprobs_stage must be one stage: /v1/foretell/explain tells several",
            "logprobs_stage",
            "unsupported_parameter",
        )


STREAM_OPTIONS = ("include_usage", "continuous_usage_stats", "include_obfuscation")


def priority_of(fields: Fields) -> int:
    """How early a request is to run: those with a lower number come first."""
    return number(fields.own, "priority", PRIORITY) or 0


def _config(settings: Mapping[str, Any], fields: Fields) -> GenerationConfig:
    """These settings, a seed among them; ApiError, naming the field, if they make no sense."""
    try:
        return GenerationConfig().override(**settings).with_seed()
    except ConfigError as error:
        raise api_error(error, fields.spelled) from error
