"""The settings that a model's own files recommend, for `preset="model"`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretell.config.settings import SETTINGS
from foretell.errors import ForetellError
from foretell.formats.file_names import GENERATION_CONFIG
from foretell.formats.json import read_optional_object
from foretell.inputs.recommended import Recommended

GGUF_KEYS = {
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.xtc_probability": "xtc_probability",
    "general.sampling.xtc_threshold": "xtc_threshold",
    "general.sampling.penalty_last_n": "penalty_scope",
    "general.sampling.penalty_repeat": "repetition_penalty",
    "general.sampling.mirostat": "mirostat",
    "general.sampling.mirostat_tau": "mirostat_tau",
    "general.sampling.mirostat_eta": "mirostat_eta",
}
JSON_KEYS = (
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "top_h"),
    *("epsilon_cutoff", "eta_cutoff", "repetition_penalty", "no_repeat_ngram_size"),
    *("max_new_tokens", "suppress_tokens", "begin_suppress_tokens", "eos_token_id"),
)


def read_recommended(metadata: Mapping[str, Any], path: Path) -> Recommended:
    """What the GGUF file says in `general.sampling.*`, else a generation_config.json beside it."""
    found = {name: metadata[key] for key, name in GGUF_KEYS.items() if key in metadata}
    if found:
        return Recommended(found, path)
    beside = path.parent / GENERATION_CONFIG
    try:
        return from_generation_config(read_optional_object(beside) or {}, beside)
    except ForetellError as error:
        return Recommended(source=beside, fault=str(error))


def from_generation_config(values: Mapping[str, Any], source: object) -> Recommended:
    """What a `generation_config.json` recommends; `source` is for messages."""
    found = {name: values[name] for name in JSON_KEYS if values.get(name) is not None}
    if values and not found.get("do_sample"):
        found = {**_without_sampling(found), "do_sample": False}
    return Recommended(found, source)


def _without_sampling(found: dict[str, Any]) -> dict[str, Any]:
    """transformers ignores sampling settings where the file does not say `do_sample`."""
    return {
        name: value
        for name, value in found.items()
        if not SETTINGS[name].kind.is_sampling and name != "do_sample"
    }
