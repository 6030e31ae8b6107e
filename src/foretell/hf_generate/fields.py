"""What becomes of each thing that transformers' `generate` takes.

Every field of its GenerationConfig, and every further argument, is in one of three tables: it is
honoured, or it changes nothing here, or it is refused wherever it would change something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from foretell.config.settings import ALIASES, RANGES, SAMPLING_SETTINGS, SEARCHING, SETTINGS
from foretell.errors import ConfigError
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean

RECORDS = ("output_scores", "output_logits")
"""In force with `return_dict_in_generate=True` only."""

HONOURED = (
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p"),
    *("epsilon_cutoff", "eta_cutoff"),
    *("num_beams", "length_penalty", "early_stopping", "num_return_sequences"),
    *("num_beam_groups", "diversity_penalty", "force_words_ids", "constraints"),
    *("max_length", "max_new_tokens", "min_length", "min_new_tokens", "max_time", "stop_strings"),
    *("repetition_penalty", "no_repeat_ngram_size", "bad_words_ids", "sequence_bias"),
    *("suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id"),
    *("exponential_decay_length_penalty", "remove_invalid_values", "renormalize_logits"),
    *("guidance_scale", "penalty_alpha", "dola_layers", "watermarking_config"),
    *("bos_token_id", "eos_token_id", "pad_token_id"),
    *("return_dict_in_generate", *RECORDS),
)

SAMPLING = tuple(name for name in HONOURED if name in SAMPLING_SETTINGS)
"""In force with `do_sample=True` only."""

BEAMS = tuple(name for name in HONOURED if name in SEARCHING and name != "num_beams")
"""In force with `num_beams` above 1 only."""

ACCEPTED = {
    **dict.fromkeys(
        ("use_cache", "cache_config", "max_cache_len", "prefill_chunk_size"),
        "the engine keeps keys and values in blocks of its own",
    ),
    **dict.fromkeys(
        ("compile_config", "disable_compile", "continuous_batching_config"),
        "about speed only",
    ),
    **dict.fromkeys(
        (
            *("num_assistant_tokens", "num_assistant_tokens_schedule"),
            *("assistant_confidence_threshold", "assistant_lookbehind", "target_lookbehind"),
            *("assistant_ensemble_weight", "speculation_type", "max_matching_ngram_size"),
        ),
        "about an assistant, which is refused",
    ),
    "decoder_start_token_id": "of encoder-decoder models, which are refused",
    "transformers_version": "about the file",
}
"""Fields that change nothing here, and why."""

_NO_ASSISTANT = "nothing is guessed here: LLM(speculation=...) does that"
_NO_INSIDE = "what happens inside the model is not told"
_NO_ENCODER = "it is of models with an encoder"

REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "assistant_early_exit": ((), _NO_ASSISTANT),
    "prompt_lookup_num_tokens": ((), _NO_ASSISTANT),
    "use_mtp": ((False,), _NO_ASSISTANT),
    "is_assistant": ((False,), _NO_ASSISTANT),
    "output_attentions": ((False,), _NO_INSIDE),
    "output_hidden_states": ((False,), _NO_INSIDE),
    "encoder_repetition_penalty": ((1,), "repetition_penalty looks on the prompt too"),
    "encoder_no_repeat_ngram_size": ((0,), "no_repeat_ngram_size looks on the prompt too"),
    "token_healing": ((False,), "inputs are taken as they are; LLM.generate heals prompts"),
    "cache_implementation": (
        (
            *("dynamic", "offloaded", "static", "offloaded_static", "paged", "sliding_window"),
            *("hybrid", "hybrid_chunked", "offloaded_hybrid", "offloaded_hybrid_chunked"),
        ),
        "keys and values are kept as the model was loaded",
    ),
    "low_memory": ((False,), "beams share what they have in common"),
}
"""Fields that are refused, but for None and these values; and why."""

ARGUMENTS = (
    *("input_ids", "attention_mask", "negative_prompt_ids", "negative_prompt_attention_mask"),
    *("logits_processor", "stopping_criteria", "prefix_allowed_tokens_fn"),
    *("streamer", "tokenizer", "seed"),
)
"""Further arguments that are honoured; `seed` is foretell's own."""

ACCEPTED_ARGUMENTS = ("trust_remote_code", "use_model_defaults", "logits_to_keep", "return_dict")

REFUSED_ARGUMENTS: dict[str, tuple[tuple[Any, ...], str]] = {
    "assistant_model": ((), _NO_ASSISTANT),
    "assistant_tokenizer": ((), _NO_ASSISTANT),
    "custom_generate": ((), "the engine's own loop runs"),
    "synced_gpus": ((False,), "one process runs the model"),
    "inputs_embeds": ((), "prompts are token ids or text"),
    **dict.fromkeys(
        ("past_key_values", "cache"), ((), "computed prefixes are found by themselves")
    ),
    "position_ids": ((), "positions count from a row's first token"),
    "token_type_ids": ((), "the model is given token ids only"),
    "cache_position": ((), "positions count from a row's first token"),
    "labels": ((), "nothing is learned"),
    "encoder_outputs": ((), _NO_ENCODER),
    "decoder_input_ids": ((), _NO_ENCODER),
    "decoder_attention_mask": ((), _NO_ENCODER),
}

PROCESSOR_FIELDS = {
    "UnbatchedClassifierFreeGuidanceLogitsProcessor": "guidance_scale",
    "SequenceBiasLogitsProcessor": "sequence_bias",
    "RepetitionPenaltyLogitsProcessor": "repetition_penalty",
    "NoRepeatNGramLogitsProcessor": "no_repeat_ngram_size",
    "NoBadWordsLogitsProcessor": "bad_words_ids",
    "MinLengthLogitsProcessor": "min_length",
    "MinNewTokensLengthLogitsProcessor": "min_new_tokens",
    "PrefixConstrainedLogitsProcessor": "prefix_allowed_tokens_fn",
    "ForcedBOSTokenLogitsProcessor": "forced_bos_token_id",
    "ForcedEOSTokenLogitsProcessor": "forced_eos_token_id",
    "InfNanRemoveLogitsProcessor": "remove_invalid_values",
    "ExponentialDecayLengthPenalty": "exponential_decay_length_penalty",
    "SuppressTokensLogitsProcessor": "suppress_tokens",
    "SuppressTokensAtBeginLogitsProcessor": "begin_suppress_tokens",
    "TemperatureLogitsWarper": "temperature",
    "TopHLogitsWarper": "top_h",
    "TopKLogitsWarper": "top_k",
    "TopPLogitsWarper": "top_p",
    "MinPLogitsWarper": "min_p",
    "TypicalLogitsWarper": "typical_p",
    "EpsilonLogitsWarper": "epsilon_cutoff",
    "EtaLogitsWarper": "eta_cutoff",
    "LogitNormalization": "renormalize_logits",
}
"""By the name of a transformers processor: the field that makes `generate` add one itself."""

CRITERIA_FIELDS = {
    "MaxTimeCriteria": "max_time",
    "StopStringCriteria": "stop_strings",
    "EosTokenCriteria": "eos_token_id",
}
"""The same for its stopping criteria; a MaxLengthCriteria is taken for `max_length`."""

FIELDS = (*HONOURED, *ACCEPTED, *REFUSED)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_ids(value: Any) -> bool:
    return _is_integer(value) or _is_list_of(_is_integer, value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or _is_list_of(lambda one: isinstance(one, str), value)


def _is_list_of(is_right: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(is_right(one) for one in value)


def _is_word(value: Any) -> bool:
    """A phrase, or several of which one is enough."""
    if not isinstance(value, (list, tuple)) or not value:
        return False
    several = value if isinstance(value[0], (list, tuple)) else [value]
    return all(one and _is_list_of(lambda x: _is_integer(x) and x >= 0, one) for one in several)


FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **{
        name: (_is_integer, "an integer") if span.kind is int else (_is_number, "a number")
        for name, span in RANGES.items()
        if name in HONOURED
    },
    **dict.fromkeys(
        ("do_sample", "remove_invalid_values", "renormalize_logits", *RECORDS),
        (_is_flag, "True or False"),
    ),
    "return_dict_in_generate": (_is_flag, "True or False"),
    "early_stopping": (lambda value: _is_flag(value) or value == "never", 'True, False or "never"'),
    "bos_token_id": (_is_integer, "a token id"),
    "pad_token_id": (_is_integer, "a token id"),
    "eos_token_id": (_is_ids, "a token id or a list of token ids"),
    "stop_strings": (_is_texts, "a text or a list of texts"),
    "force_words_ids": (
        lambda value: value and _is_list_of(_is_word, value),
        "a list of words, each a list of token ids or a list of such lists, none empty",
    ),
    "constraints": (
        lambda value: _is_list_of(lambda one: _is_word(getattr(one, "token_ids", None)), value),
        "a list of PhrasalConstraint or DisjunctiveConstraint objects, with their token_ids",
    ),
    "bad_words_ids": (
        lambda value: value and _is_list_of(lambda one: isinstance(one, (list, tuple)), value),
        "a list of lists of token ids, not empty",
    ),
}
"""What a field's values look like; of those that are not here, the settings of foretell say it."""


def check_form(name: str, value: Any) -> None:
    """Raise ConfigError if the value, which is in force, is none such as the field has."""
    is_right, right = FORMS.get(name, (lambda value: True, ""))
    if value is not None and not is_right(value):
        raise ConfigError(f"{name}={shown(value)} must be {right}")


def refuse_what_acts(values: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value that would change the result and cannot be honoured."""
    for name, (harmless, reason) in {**REFUSED, **REFUSED_ARGUMENTS}.items():
        value = values.get(name)
        if value is None or any(value is one or value == one for one in harmless):
            continue
        allowed = " or ".join(repr(one) for one in (*harmless, None))
        raise ConfigError(f"{name}={shown(value)} cannot be honoured: {reason}; leave it {allowed}")


def refuse_unknown(names: Iterable[str]) -> None:
    """Raise ConfigError for an argument that transformers' `generate` does not take."""
    known = (*FIELDS, *ARGUMENTS, *ACCEPTED_ARGUMENTS, *REFUSED_ARGUMENTS)
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown argument {quote(name)}: {_hint(name, known)}")


def _hint(name: str, known: Iterable[str]) -> str:
    if name in ALIASES or name in SETTINGS:
        return "generate() takes what transformers' takes, LLM.generate() has foretell's own"
    return did_you_mean(name, known, "transformers' generate() has no such argument")


def shown(value: Any) -> str:
    """A value in a message: short, in one line."""
    is_short = isinstance(value, (bool, int, float, str))
    return quote(value) if is_short else type(value).__name__
