"""Worked distributions: what settings do to a handful of made-up candidates.

The real processors compute them, in the order of the dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretell.config import GenerationConfig
from foretell.config.dialects import DIALECTS
from foretell.config.presets import PRESETS
from foretell.decoding.chain import chain
from foretell.decoding.context import ChainContext

PROMPT = "The cat sat on the"
WORDS = {
    "mat": 0.3,
    "floor": 0.2,
    "bed": 0.15,
    "sofa": 0.12,
    "roof": 0.1,
    "moon": 0.08,
    "idea": 0.05,
}
"""Candidates for the next token, with the model's probabilities."""

Settings = Mapping[str, Any]

SEEN = ("mat", "floor", "floor")
LOOP = ("mat", "floor", "bed", "mat", "floor")
WRITTEN = {
    "repetition_penalty": SEEN,
    "frequency_penalty": SEEN,
    "presence_penalty": SEEN,
    "dry_multiplier": LOOP,
    "no_repeat_ngram_size": LOOP,
    "precise": SEEN,
}
"""Words written before, where the setting looks back on them."""

VALUES: dict[str, tuple[Any, ...]] = {
    "temperature": (0.2, 1.0, 2.0),
    "top_k": (1, 3),
    "top_p": (0.6, 0.9),
    "min_p": (0.2, 0.45),
    "typical_p": (0.3, 0.7),
    "epsilon_cutoff": (0.06, 0.09),
    "eta_cutoff": (0.02, 0.1),
    "top_h": (0.3, 0.8),
    "top_n_sigma": (0.5, 1.5),
    "adaptive_target": (0.1, 0.3),
    "repetition_penalty": (1.1, 1.5),
    "frequency_penalty": (0.5, 1.5),
    "presence_penalty": (0.5, 1.5),
    "dry_multiplier": (0.8, 2.0),
    "no_repeat_ngram_size": (3,),
}
_XTC = tuple({"xtc_probability": 1.0, "xtc_threshold": value} for value in (0.11, 0.18))
_MIROSTAT = tuple({"mirostat": 2, "mirostat_tau": value} for value in (1.0, 1.5))
_DYNAMIC = tuple({"dynatemp_range": value} for value in (0.5, 1.0))
_HOT = {"temperature": 2.0, "top_p": 0.75}

CASES: dict[str, tuple[Settings, ...]] = {
    **{name: tuple({name: value} for value in values) for name, values in VALUES.items()},
    "dynatemp_range": _DYNAMIC,
    "xtc_probability": _XTC,
    "xtc_threshold": _XTC,
    "mirostat": _MIROSTAT,
    "mirostat_tau": _MIROSTAT,
    **{name: (preset.settings,) for name, preset in PRESETS.items() if name != "greedy"},
    **{name: tuple({"dialect": other, **_HOT} for other in DIALECTS) for name in DIALECTS},
}
"""By topic: the settings to show, a column each."""


@dataclass(frozen=True)
class Column:
    """What some settings make of the candidates: a probability each, 0 where ruled out."""

    settings: dict[str, Any]
    probabilities: dict[str, float]


@dataclass(frozen=True)
class WorkedExample:
    """The candidates before, and after each of several settings.

    Attributes:
        prompt: what they are to follow.
        written: what was generated so far, where the settings look back on it.
        before: the model's probabilities.
        after: with each of the settings.
    """

    prompt: str
    written: tuple[str, ...]
    before: dict[str, float]
    after: tuple[Column, ...]


@dataclass(frozen=True)
class _Past:
    tokens: Sequence[int]
    num_prompt_tokens: int = 0
    index: int = 0


def work_out(topic: str) -> WorkedExample | None:
    """The worked example of a setting, preset or dialect; None if it has none."""
    if topic not in CASES:
        return None
    written = WRITTEN.get(topic, ())
    columns = tuple(
        Column(dict(settings), distribution(settings, written)) for settings in CASES[topic]
    )
    return WorkedExample(PROMPT, written, dict(WORDS), columns)


def distribution(settings: Settings, written: Sequence[str] = ()) -> dict[str, float]:
    """The candidates' probabilities with these settings, after these words."""
    words = list(WORDS)
    past = _Past([words.index(word) for word in written])
    row = np.log(np.array(list(WORDS.values()))).astype(np.float32)
    for stage in chain(GenerationConfig(**settings), ChainContext(vocab_size=len(row))):
        stage.processor(row, past)
    weights = np.exp(row.astype(np.float64) - float(row.max()))
    return dict(zip(words, (weights / weights.sum()).tolist(), strict=True))
