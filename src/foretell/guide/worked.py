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
from foretell.config.settings import SETTINGS
from foretell.decoding.chain import build_chain
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

_HOT = {"temperature": 2.0, "top_p": 0.75}

WRITTEN = {
    **{name: tuple(row.example_text.split()) for name, row in SETTINGS.items() if row.example_text},
    "precise": tuple(SETTINGS["repetition_penalty"].example_text.split()),
}
"""Words written before, where the setting looks back on them."""

CASES: dict[str, tuple[Settings, ...]] = {
    **{
        name: tuple(one if isinstance(one, dict) else {name: one} for one in row.examples)
        for name, row in SETTINGS.items()
        if row.examples
    },
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
    for stage in build_chain(GenerationConfig(**settings), ChainContext(vocab_size=len(row))):
        stage.processor(row, past)
    weights = np.exp(row.astype(np.float64) - float(row.max()))
    return dict(zip(words, (weights / weights.sum()).tolist(), strict=True))
