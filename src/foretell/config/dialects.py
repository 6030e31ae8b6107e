"""Dialects: what the same settings mean in transformers, vLLM and llama.cpp.

The systems differ in the order of processors, in ties, in what a penalty looks back on, and in
what is in force when nothing is said. A dialect fixes all four. Settings that a system lacks keep
the place that they have in "transformers".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from foretell.config.choices import Scope
from foretell.config.settings import SETTINGS, STAGES
from foretell.errors import ConfigError
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean

BIASES = ("sequence_bias", "logit_bias")
PENALTIES = ("repetition_penalty", "frequency_penalty", "presence_penalty", "dry_multiplier")
MASKS = ("no_repeat_ngram_size", "bad_words", "bad_words_ids", "allowed_token_ids")
LENGTHS = (
    "min_length",
    "min_new_tokens",
    "prefix_allowed_tokens_fn",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
    "logits_processor",
)
FORMS = ("json_schema", "json", "regex", "choices", "grammar", "structural_tag")
"""The last of what applies to greedy decoding too: a form has the last word on what is possible."""

CUTOFFS = ("typical_p", "epsilon_cutoff", "eta_cutoff")
LAST = ("mirostat", "adaptive_target")
END = ("renormalize_logits",)


@dataclass(frozen=True)
class Dialect:
    """One system's meaning of the settings.

    Attributes:
        name: what `dialect=` takes.
        version: the release whose behaviour this is.
        order: the stages, first to last; each bears the name of the setting that turns it on.
            Written here, by hand, are those that any of the systems has.
        defaults: sampling settings in force where nothing is said and decoding is not greedy.
        ties: whether top-k keeps all that equal the k-th logit, or cuts at k.
        repetition_scope, count_scope: what the repetition penalty, and the frequency and presence
            penalties, look back on unless `penalty_scope` says otherwise.
        least_temperature: lower ones, but for 0, are raised to it.
    """

    name: str
    version: str
    order: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    ties: Literal["keep", "cut"] = "keep"
    repetition_scope: Scope = "all"
    count_scope: Scope = "output"
    least_temperature: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", _with_own_stages(self.order))


def _with_own_stages(order: tuple[str, ...]) -> tuple[str, ...]:
    """The order, with each stage that no system has after the one that its row names."""
    complete = list(order)
    for name in SETTINGS:
        if name in STAGES and name not in order:
            if SETTINGS[name].after not in complete:
                raise ValueError(f"{name} has no place: neither an order nor its row gives it one")
            complete.insert(complete.index(SETTINGS[name].after) + 1, name)
    return tuple(complete)


TRANSFORMERS = Dialect(
    "transformers",
    "5.24",
    (
        *BIASES,
        "diversity_penalty",
        *PENALTIES,
        *MASKS,
        *LENGTHS,
        *FORMS,
        "top_n_sigma",
        *("temperature", "top_h", "top_k", "top_p", "min_p"),
        *CUTOFFS,
        "xtc_probability",
        *LAST,
        *END,
    ),
)
VLLM = Dialect(
    "vllm",
    "0.33",
    (
        *("allowed_token_ids", "bad_words", "bad_words_ids", "min_new_tokens", "min_length"),
        *BIASES,
        "diversity_penalty",
        *PENALTIES,
        "no_repeat_ngram_size",
        *(name for name in LENGTHS if name not in ("min_new_tokens", "min_length")),
        *FORMS,
        "top_n_sigma",
        *("temperature", "top_h", "min_p", "top_k", "top_p"),
        *CUTOFFS,
        "xtc_probability",
        *LAST,
        *END,
    ),
    defaults={"temperature": 1.0},
    least_temperature=0.01,
)
LLAMA_CPP = Dialect(
    "llama.cpp",
    "0c1e57098",
    (
        *BIASES,
        "diversity_penalty",
        *MASKS,
        *LENGTHS,
        *PENALTIES,
        *FORMS,
        *("top_n_sigma", "top_k", "typical_p", "top_p", "min_p", "xtc_probability"),
        *("top_h", "epsilon_cutoff", "eta_cutoff", "temperature"),
        *LAST,
        *END,
    ),
    defaults={"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    ties="cut",
    repetition_scope=64,
    count_scope=64,
)
DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (TRANSFORMERS, VLLM, LLAMA_CPP)
}
_BY_NAME = {
    **DIALECTS,
    **{f"{dialect.name}@{dialect.version}": dialect for dialect in DIALECTS.values()},
}
DIALECT_NAMES = tuple(_BY_NAME)
"""What `dialect=` takes."""


def find_dialect(name: object) -> Dialect:
    """The dialect of this name, or of `name@version`; ConfigError if there is none such."""
    found = _BY_NAME.get(name) if isinstance(name, str) else None
    if found is None:
        hint = f"must be one of {', '.join(DIALECTS)}"
        if isinstance(name, str):
            hint = did_you_mean(name, DIALECTS, hint)
        raise ConfigError(f"dialect={quote(name)} is not known: {hint}")
    return found
