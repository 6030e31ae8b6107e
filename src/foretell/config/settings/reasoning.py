"""Reasoning: what a model thinks before it answers."""

from __future__ import annotations

import math

from foretell.config.ranges import Range
from foretell.config.settings.form import ROWS as FORMS
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import BOOLEAN

HEADING = "Reasoning"

_FORMS = tuple(name for name, row in FORMS.items() if row.kind is Kind.FORM)

ROWS: dict[str, Setting] = {
    "thinking_budget": Setting(
        Range(int, 0, math.inf, "tokens between <think> and </think>, which is forced behind them"),
        Kind.MASK,
        low="answers at once; at 0 without a thought",
        high="thinks as long as it wants",
        source="vLLM, SGLang, llama.cpp",
        after="logits_processor",
        aliases=("thinking_token_budget", "thinking_budget_tokens", "reasoning_budget"),
    ),
    "allow_thinking": Setting(
        BOOLEAN,
        Kind.DETAIL,
        "whether <think>...</think> may come before a text of a form; on in chats whose template "
        "tells thoughts apart",
        needs=_FORMS,
    ),
}
