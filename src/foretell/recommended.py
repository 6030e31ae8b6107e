"""The settings that a model's own files recommend, for `preset="model"` (row 1 of the design)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretell.config import GenerationConfig
from foretell.errors import ConfigError, ModelFileError

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
    *("suppress_tokens", "begin_suppress_tokens", "eos_token_id", "max_new_tokens"),
)


def read_recommended(metadata: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What the GGUF file says in `general.sampling.*`, else a generation_config.json beside it.

    Raises ModelFileError if that file is damaged, or a value is impossible.
    """
    found = {name: metadata[key] for key, name in GGUF_KEYS.items() if key in metadata}
    source = path
    if not found:
        source = path.parent / "generation_config.json"
        found = _from_json(source) if source.is_file() else {}
    try:
        GenerationConfig(**found)
    except ConfigError as error:
        raise ModelFileError(f"{source} recommends impossible settings: {error}") from error
    return found


def _from_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelFileError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{path} holds a {type(values).__name__}: must hold a JSON object")
    found = {name: values[name] for name in JSON_KEYS if values.get(name) is not None}
    return found if found.get("do_sample") else {**_without_sampling(found), "do_sample": False}


def _without_sampling(found: dict[str, Any]) -> dict[str, Any]:
    """transformers ignores sampling settings where the file does not say `do_sample`."""
    kept = ("repetition_penalty", "no_repeat_ngram_size", "max_new_tokens")
    ids = ("suppress_tokens", "begin_suppress_tokens", "eos_token_id")
    return {name: found[name] for name in (*kept, *ids) if name in found}
