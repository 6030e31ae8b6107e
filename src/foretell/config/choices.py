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

Never = Literal["never"]
NEVER: Never = "never"
"""As `early_stopping`: a beam search ends only when there can be no better text."""
