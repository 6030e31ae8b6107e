"""Values that are one of a few words, each list once."""

from __future__ import annotations

from typing import Literal, get_args

ScopeName = Literal["prompt", "output", "all"]
Scope = ScopeName | int
"""Which tokens a penalty looks back on; a number: the last n of prompt and output."""

SCOPE_NAMES: tuple[ScopeName, ...] = get_args(ScopeName)

LogprobStage = Literal["raw", "processed", "final"]
"""Where log-probabilities are taken: of the model, after penalties and masks, as drawn from."""

LOGPROB_STAGES: tuple[LogprobStage, ...] = get_args(LogprobStage)

Several = Literal[
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 25, 30, 32, 40, 50, 64, 100, 128
]  # fmt: skip
"""How many samples a caller may write down to be promised a list: a variable might hold 1."""

Never = Literal["never"]
NEVER: Never = "never"
"""As `early_stopping`: a beam search ends only when there can be no better text."""

LayerGroup = Literal["low", "high"]
LAYER_GROUPS: tuple[LayerGroup, ...] = get_args(LayerGroup)
"""Layers for DoLa: every second one of the lower or of the upper half."""
