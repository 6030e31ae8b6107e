"""GenerationConfig: every setting of one request."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, Unpack

from foretell.config.choices import Scope
from foretell.config.conflicts import beside_stated, refuse, warnings_of
from foretell.config.dialects import Dialect, find_dialect
from foretell.config.foreign_names import refuse_unknown, refuses_unknown
from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.config.schemas import JsonSchema
from foretell.config.settings import FORMS, SAMPLING_SETTINGS, SETTINGS
from foretell.config.typed import GenerationSettings
from foretell.config.validators import RepetitionDetection, Watermark
from foretell.errors import ConfigError
from foretell.utils.quoting import quote
from foretell.utils.short_repr import call_repr

T = TypeVar("T")


def _explains_names(kind: type[T]) -> type[T]:
    """Let a dataclass say of an unknown argument what it is called here."""
    kind.__init__ = refuses_unknown("setting")(kind.__init__)  # type: ignore[method-assign]
    return kind


@_explains_names
@dataclass(frozen=True, kw_only=True, repr=False)
class GenerationConfig:
    """Settings of one request. `None` means: not set, the plain default holds.

    Without any sampling setting, decoding is greedy; with one (`temperature` to `adaptive_target`
    below), it samples. `do_sample` says it outright. A value out of range, or one that contradicts
    another, raises ConfigError; `foretell guide` explains each setting. Legal ranges are in
    `foretell.config.RANGES`; a text or a single id will do where several are taken.

    Attributes:
        do_sample: True samples, False is greedy.
        temperature: logits are divided by it before the softmax, ≥ 0; 0 is greedy.
        dynatemp_range, dynatemp_exponent: the temperature moves by up to ±range with the entropy
            to the power of the exponent (1), as in llama.cpp.
        top_k: keep the k most probable tokens; 0 is off.
        top_p: keep the smallest set whose probability reaches p (arXiv 1904.09751); 1 is off.
        min_p: keep tokens with p ≥ min_p · max p (arXiv 2407.01082); 0 is off.
        typical_p: locally typical sampling (arXiv 2202.00666); 1 is off.
        epsilon_cutoff, eta_cutoff: keep p ≥ ε, or ≥ min(ε, √ε·exp(-H)) (arXiv 2210.15191).
        top_h: keep the likeliest tokens up to this share of the entropy (transformers).
        top_n_sigma: keep logits ≥ max - n·σ (arXiv 2411.07641); 0 is off.
        xtc_probability, xtc_threshold, xtc_exempt_tokens: so often, of the tokens with
            p ≥ threshold (0.1) all but the least likely are taken out; exempt ones stay.
        mirostat, mirostat_tau, mirostat_eta: version 1 or 2 (arXiv 2007.14966), the surprise to
            aim at in bits (5), the learning rate (0.1).
        adaptive_target, adaptive_decay: adaptive-p of llama.cpp: the probability to aim at, and
            how slowly the mean forgets (0.9).
        min_tokens_to_keep: candidates that every sampler leaves (1).
        repetition_penalty: logits of seen tokens are divided, or if negative multiplied, by it
            (arXiv 1909.05858).
        frequency_penalty, presence_penalty: taken off a logit for each time, or once if, its token
            was seen (OpenAI).
        penalty_scope: what the three look back on: "prompt", "output", "all" or the last n tokens.
            Not set: the dialect's.
        penalty_exempt_tokens: ids that the three leave alone.
        dry_multiplier, dry_base, dry_allowed_length, dry_penalty_last_n, dry_sequence_breakers:
            DRY of llama.cpp: a token that would extend a repeated sequence of n ≥ allowed (2)
            tokens loses multiplier · base (1.75) ** (n - allowed).
        no_repeat_ngram_size: no n-gram of this size comes twice.
        bad_words, bad_words_ids: texts, or sequences of ids, that must not be written.
        allowed_token_ids, suppress_tokens, begin_suppress_tokens: the only ids allowed; ids never
            allowed; ids not allowed as the first.
        logit_bias, sequence_bias: added to the logit of a token (by id or text), or of the last id
            of a sequence whose others have just been written. A text of several tokens is such a
            sequence; in the dialect llama.cpp each of its tokens has the bias. Digits alone are an
            id, as in JSON for OpenAI's API; in double quotes within the text, '"7"', they are a
            text.
        min_length, min_new_tokens: until then, no end of sequence and no stop.
        watermark: True, or a dict of its fields: some tokens are likelier, by which
            `LLM.detect_watermark` knows the text again; see `Watermark`.
        token_healing: the prompt's last tokens are taken back, and the text must begin with their
            characters, which may then be part of longer tokens. They count as the prompt's:
            `token_ids` may be longer than `max_new_tokens` by as many as were taken back.
        forced_bos_token_id, forced_eos_token_id: the first token; the last one at the length limit.
        exponential_decay_length_penalty: (start, factor): after `start` generated tokens the end of
            sequence gains weight by the power of `factor`.
        prefix_allowed_tokens_fn: `f(ids)`: from the ids so far to the ids allowed next; or
            transformers' `f(batch_id, input_ids)`.
        remove_invalid_values: NaN and infinite logits are replaced instead of being an error.
        renormalize_logits: log-softmax at the end of the chain.
        logits_processor: functions on a row before the samplers: `f(row)`, `f(row, history)` or
            transformers' `f(input_ids, scores)`; `foretell guide logits_processor` has examples.
        processors: the whole chain, by setting names and functions, in this order.
        guidance_scale, negative_prompt: classifier-free guidance (arXiv 2306.17806) away from the
            negative prompt, by default the prompt's last token.
        dialect: "transformers", "vllm" or "llama.cpp": order, ties, scopes and defaults.
        preset: "code", "creative", "chat", "summary", "greedy", "precise", or "model" for what the
            model's own files recommend; what is set outright wins.
        json_schema, json: the text is JSON by this schema (a dict, its text, a pydantic model, a
            dataclass or a TypedDict), or a JSON object. `output.parsed` is the value.
        regex, choices, grammar: the text matches a regular expression, is one of some texts, or
            follows a grammar in Lark's or llama.cpp's notation (GBNF).
        structural_tag: free text, with JSON by a schema between tags: `{"structures": [{"begin",
            "schema", "end"}], "triggers": [...]}` (vLLM).
        json_whitespace: "free" (at most two characters in one place), "fixed" (a space behind a
            comma or colon) or "compact" (none). Not set: "free".
        lenient: pass over keywords of a schema that the text cannot be held to, and check it when
            it is finished: `output.schema_errors`. Else they are refused.
        thinking_budget: most tokens between `<think>` and `</think>`, which is then forced, once
            the last character is whole; at 0 nothing is thought.
        allow_thinking: whether `<think>...</think>` may come before a text of a form. Not set:
            in chats whose template tells thoughts apart.
        max_new_tokens, max_length: most tokens to generate; of prompt and output together.
            Not set: until end of sequence or the context is full.
        max_time: seconds after which to stop.
            It is looked at after each token, and not while a prompt is read.
        eos_token_id: end-of-sequence ids in place of the model's own.
        ignore_eos: go on past them (for measurements).
        stop_token_ids: ids that end the output, and are no part of its text.
        stop, include_stop_str_in_output: texts that end the output; whether they stay in it.
        stop_regex: regular expressions that do the same.
        show_special_tokens: write them in the text by their names; the ids have them all the same.
        repetition_detection: end the output when it loops; see `RepetitionDetection`.
        stopping_criteria: `f(text, ids)`: from the text and the ids so far to whether to stop; or
            transformers' `f(input_ids, scores)`; one or several.
        seed: 0 to 2**64 - 1, fixes every draw. Not set: drawn anew, and in the output.
        speculate: False computes no tokens of this text ahead, such as those that
            `LLM(speculation=...)` guesses; the text is the same.
        num_return_sequences: samples of one prompt, each with a random stream of its own: the
            first ones are the same however many there are. Of a beam search, its best texts.
        num_beams: above 1, beam search: this many continuations are kept side by side.
        length_penalty: beams are ranked by the sum of log-probabilities over length to this power:
            above 0 favours long texts. Not set: 1.
        early_stopping: when a beam search ends: True with the first `num_beams` texts; False when
            better ones are unlikely; "never" when there can be none.
        patience: a beam search ends with `patience · num_beams` texts (arXiv 2204.05424).
        num_beam_groups, diversity_penalty: above 1, diverse beam search (arXiv 1610.02424): beams
            in groups, where a token loses the penalty for each beam of an earlier group that has
            just said it.
        force_words: words that a beam search must write (arXiv 1804.06609), as texts or lists of
            token ids; of several in a list one is enough.
        stochastic_beams: draw `num_beams` different texts (arXiv 1903.06059); outputs tell their
            `inclusion_probability`.
        penalty_alpha: with `top_k`, contrastive search (arXiv 2202.06417): of the `top_k` likeliest
            tokens the best by (1 - alpha) · p - alpha · likeness to what was written; 0 is off.
        dola_layers: "low", "high" or numbers of layers: DoLa (arXiv 2309.03883): the last layer's
            log-probabilities less those of the one of these that differs most.
        logprobs, logprobs_stage: report log-probabilities of the chosen tokens, with this many
            alternatives, at the stages "raw" (the model), "processed" (after penalties and masks)
            or "final" (what was drawn from).
        prompt_logprobs: the same of the prompt's tokens, of the raw model.
        trace: record what each processor did to each token.
    """

    do_sample: bool | None = None
    temperature: float | None = None
    dynatemp_range: float | None = None
    dynatemp_exponent: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    top_h: float | None = None
    top_n_sigma: float | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    xtc_exempt_tokens: Collection[int] | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    adaptive_target: float | None = None
    adaptive_decay: float | None = None
    min_tokens_to_keep: int | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    penalty_scope: Scope | None = None
    penalty_exempt_tokens: Collection[int] | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: Collection[str] | None = None
    no_repeat_ngram_size: int | None = None
    bad_words: Collection[str] | None = None
    bad_words_ids: Collection[Collection[int]] | None = None
    allowed_token_ids: Collection[int] | None = None
    suppress_tokens: Collection[int] | None = None
    begin_suppress_tokens: Collection[int] | None = None
    logit_bias: Mapping[int | str, float] | None = field(default=None, hash=False)
    sequence_bias: Mapping[tuple[int, ...], float] | None = field(default=None, hash=False)
    min_length: int | None = None
    min_new_tokens: int | None = None
    watermark: Watermark | bool | Mapping[str, Any] | None = None
    token_healing: bool = False
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | Collection[int] | None = None
    exponential_decay_length_penalty: tuple[int, float] | None = None
    prefix_allowed_tokens_fn: Callable[..., Iterable[int]] | None = None
    remove_invalid_values: bool = False
    renormalize_logits: bool = False
    logits_processor: Callable[..., Any] | Collection[Callable[..., Any]] | None = None
    processors: Collection[str | Callable[..., Any]] | None = None
    guidance_scale: float | None = None
    negative_prompt: str | Collection[int] | None = None
    dialect: str = "transformers"
    preset: str | None = None
    json_schema: JsonSchema | Mapping[str, Any] | str | type | None = None
    json: bool = False
    regex: str | None = None
    choices: Collection[str] | None = None
    grammar: str | None = None
    structural_tag: JsonSchema | Mapping[str, Any] | str | None = None
    json_whitespace: str | None = None
    lenient: bool = False
    thinking_budget: int | None = None
    allow_thinking: bool | None = None
    max_new_tokens: int | None = None
    max_length: int | None = None
    max_time: float | None = None
    eos_token_id: int | Collection[int] | None = None
    ignore_eos: bool = False
    stop_token_ids: Collection[int] = ()
    stop: str | Collection[str] = ()
    include_stop_str_in_output: bool = False
    show_special_tokens: bool = False
    stop_regex: str | Collection[str] = ()
    repetition_detection: RepetitionDetection | bool | Mapping[str, int] | None = None
    stopping_criteria: Callable[..., Any] | Collection[Callable[..., Any]] | None = None
    seed: int | None = None
    speculate: bool | None = None
    num_return_sequences: int = 1
    num_beams: int = 1
    length_penalty: float | None = None
    early_stopping: bool | str = False
    patience: float | None = None
    num_beam_groups: int = 1
    diversity_penalty: float | None = None
    force_words: str | Collection[Any] | None = None
    stochastic_beams: bool = False
    penalty_alpha: float | None = None
    dola_layers: str | Collection[int] | None = None
    logprobs: int | None = None
    logprobs_stage: str | Collection[str] = ("raw",)
    prompt_logprobs: int | None = None
    trace: bool = False
    _stated: Mapping[str, Any] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        stated = {}
        values = vars(self)
        for name, default in _DEFAULTS.items():
            if values[name] is default:
                continue
            value = default
            if values[name] is not None:
                value = _checked(name, values[name])
                if value != default:
                    stated[name] = value
            self._set(name, value)
        self._set("_stated", stated)
        self._fill()
        refuse(self)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _fill(self) -> None:
        """Put in what the preset and the dialect say, where the user said nothing."""
        if self.preset is not None and self.preset not in (*PRESETS, MODEL_PRESET):
            known = ", ".join((*PRESETS, MODEL_PRESET))
            raise ConfigError(f"preset={quote(self.preset)} is not known: must be one of {known}")
        if self.preset in PRESETS:
            self._fill_with(beside_stated(PRESETS[self.preset].settings, self._stated))
        is_greedy = self.do_sample is False or self.temperature == 0 or bool(self.penalty_alpha)
        defaults = {} if is_greedy else dict(self.rules.defaults)
        if self.mirostat:
            defaults = {name: defaults[name] for name in defaults if name == "temperature"}
        self._fill_with(defaults)

    def _fill_with(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            if getattr(self, name) is None:
                self._set(name, value)

    @property
    def stated(self) -> dict[str, Any]:
        """The settings that were stated, rather than filled in by a preset or a dialect."""
        return dict(self._stated)

    @cached_property
    def rules(self) -> Dialect:
        """What the settings mean: the dialect in force."""
        return find_dialect(self.dialect)

    @cached_property
    def is_sampling(self) -> bool:
        """Whether tokens are drawn at random rather than taken greedily."""
        if self.do_sample is not None:
            return self.do_sample
        if self.temperature == 0 or self.penalty_alpha:
            return False
        return self.stochastic_beams or any(
            getattr(self, name) is not None for name in SAMPLING_SETTINGS
        )

    @cached_property
    def form(self) -> str | None:
        """The setting that holds the text to a language, if one does."""
        found = [name for name in FORMS if getattr(self, name) not in (None, False)]
        if "structural_tag" in found:  # which JSON may come in the place of
            return "structural_tag"
        return found[0] if found else None

    @property
    def samples(self) -> bool:
        """`is_sampling`, by its first name, for programs that ask for it."""
        return self.is_sampling

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal and yet unlikely to be meant, a sentence each."""
        return warnings_of(self)

    def override(self, **settings: Unpack[GenerationSettings]) -> GenerationConfig:
        """Return a copy with `settings` replaced; an unknown name raises ConfigError.

        None takes a setting back. What a preset or a dialect filled in is filled in anew.
        """
        refuse_unknown(settings, _DEFAULTS, "setting")
        if all(self._has(name, value) for name, value in settings.items()):
            return self
        return GenerationConfig(**{**self._stated, **settings})

    def _has(self, name: str, value: Any) -> bool:
        """Whether stating the value would change nothing."""
        if name in self._stated:
            return value is self._stated[name]
        return value is None or value is _DEFAULTS[name]

    def with_seed(self) -> GenerationConfig:
        """Return settings that can be run again alike: a seed is drawn where sampling lacks one."""
        if self.seed is not None or not self.is_sampling:
            return self
        import secrets  # takes a while, and nobody needs it who does not draw

        return self.override(seed=secrets.randbits(32))

    def __repr__(self) -> str:
        """The settings that were stated, long values shortened."""
        return call_repr(type(self).__name__, self._stated)

    def as_dict(self) -> dict[str, Any]:
        """The settings in force, by name, ready for JSON; a function by its name."""
        values = {name: getattr(self, name) for name in _DEFAULTS}
        return {name: _plain(value) for name, value in values.items() if value != _DEFAULTS[name]}


def _checked(name: str, value: Any) -> Any:
    """The value in the form that is kept; ConfigError if it makes no sense, or cannot be read."""
    try:
        return SETTINGS[name].values.check(name, value)
    except ConfigError:
        raise
    except Exception as error:  # of an object of the user's own
        raise ConfigError(f"{name}={quote(value)} cannot be read: {quote(error)}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, (JsonSchema, RepetitionDetection, Watermark)):
        return value.data if isinstance(value, JsonSchema) else dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return [[_plain(key), _plain(bias)] for key, bias in value.items()]
    if value == -float("inf"):
        return "-inf"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return value


_DEFAULTS = {item.name: item.default for item in dataclasses.fields(GenerationConfig) if item.init}
