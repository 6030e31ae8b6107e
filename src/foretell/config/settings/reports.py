"""Reports."""

from __future__ import annotations

import math

from foretell.config.ranges import Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import BOOLEAN, STAGE_NAMES

HEADING = "Reports"

ROWS: dict[str, Setting] = {
    "logprobs": Setting(
        Range(int, 0, math.inf, "alternatives to report beside each chosen token"),
        Kind.REPORT,
        low="the chosen token alone",
        high="many alternatives, more output",
        aliases=("top_logprobs", "n_probs", "num_logprobs", "return_logprobs"),
        needs_json=True,
    ),
    "logprobs_stage": Setting(
        STAGE_NAMES,
        Kind.REPORT,
        '"raw" (the model), "processed" (after penalties and masks) or "final" (as drawn from)',
        needs=("logprobs",),
    ),
    "prompt_logprobs": Setting(
        Range(int, 0, math.inf, "alternatives to report beside each prompt token"),
        Kind.REPORT,
        low="the prompt's tokens alone",
        high="many alternatives",
        needs_json=True,
    ),
    "trace": Setting(
        BOOLEAN,
        Kind.REPORT,
        "record what each processor did to each token",
        not_with={"num_beams": "a search chooses among whole texts"},
        needs_json=True,
    ),
}
