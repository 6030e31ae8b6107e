"""Repetition."""

from __future__ import annotations

import math

from foretell.config.ranges import FINITE, Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import SCOPE, TEXTS, TOKEN_IDS

HEADING = "Repetition"

ROWS: dict[str, Setting] = {
    "repetition_penalty": Setting(
        Range(
            float,
            0.0,
            FINITE,
            "logits of seen tokens are divided (if negative, multiplied) by it",
            (1, 2),
            neutral=1,
            open_low=True,
        ),
        Kind.PENALTY,
        low="repeats itself",
        high="fewer repeats, then avoids even needed words",
        formula="x / r if x ≥ 0, else x · r, once for each seen token",
        source="Keskar et al. 2019, arXiv 1909.05858",
        examples=(1.1, 1.5),
        example_text="mat floor floor",
        aliases=("repeat_penalty", "rep_pen", "penalty_repeat"),
        usual=7,
    ),
    "frequency_penalty": Setting(
        Range(
            float,
            -FINITE,
            FINITE,
            "taken off a token's logit for each time it was seen",
            (-2.0, 2.0),
        ),
        Kind.PENALTY,
        low="below 0 invites repeats",
        high="the more often seen, the rarer",
        formula="x - f · count",
        source="OpenAI",
        neutral=0,
        examples=(0.5, 1.5),
        example_text="mat floor floor",
        usual=8,
        aliases=("freq_penalty", "penalty_freq"),
    ),
    "presence_penalty": Setting(
        Range(float, -FINITE, FINITE, "taken off a token's logit if it was seen", (-2.0, 2.0)),
        Kind.PENALTY,
        low="below 0 keeps to the same words",
        high="new words, new topics",
        formula="x - a if seen",
        source="OpenAI",
        neutral=0,
        examples=(0.5, 1.5),
        example_text="mat floor floor",
        usual=9,
        aliases=("pres_penalty", "penalty_present"),
    ),
    "penalty_scope": Setting(
        SCOPE,
        Kind.DETAIL,
        '"prompt", "output", "all" or the last n tokens: what penalties see',
        needs=("repetition_penalty", "frequency_penalty", "presence_penalty"),
        aliases=(
            "repeat_last_n",
            "penalty_last_n",
            "rep_pen_range",
            "repetition_penalty_range",
            "repetition_context_size",
        ),
    ),
    "penalty_exempt_tokens": Setting(
        TOKEN_IDS,
        Kind.DETAIL,
        "ids that these penalties leave alone",
        needs=("repetition_penalty", "frequency_penalty", "presence_penalty"),
    ),
    "dry_multiplier": Setting(
        Range(
            float,
            0.0,
            FINITE,
            "strength of the penalty on repeating a sequence; 0 is off",
            (0.1, 5),
            neutral=0,
        ),
        Kind.PENALTY,
        low="weak",
        high="no phrase comes twice",
        formula="x - multiplier · base^(L - allowed), L the length of the repeat it extends",
        source="p-e-w; llama.cpp",
        examples=(0.8, 2.0),
        example_text="mat floor bed mat floor",
    ),
    "dry_base": Setting(
        Range(float, 1.0, FINITE, "growth of that penalty with the length", (1, 4)),
        Kind.DETAIL,
        low="long repeats cost little more",
        high="long repeats soon end",
        if_not_set=1.75,
        needs=("dry_multiplier",),
    ),
    "dry_allowed_length": Setting(
        Range(int, 0, math.inf, "repeated tokens that cost nothing", (1, 20)),
        Kind.DETAIL,
        low="hits common phrases",
        high="only long repeats cost",
        if_not_set=2,
        needs=("dry_multiplier",),
    ),
    "dry_penalty_last_n": Setting(
        Range(int, 1, math.inf, "tokens looked back on; not set: all"),
        Kind.DETAIL,
        low="forgets early text",
        high="remembers early text",
        needs=("dry_multiplier",),
    ),
    "dry_sequence_breakers": Setting(
        TEXTS,
        Kind.DETAIL,
        "texts over which DRY does not look back",
        needs=("dry_multiplier",),
        aliases=("dry_sequence_breaker",),
    ),
    "no_repeat_ngram_size": Setting(
        Range(int, 0, math.inf, "no n-gram of this size comes twice; 0 is off", (2, 10), neutral=0),
        Kind.MASK,
        low="hits common phrases",
        high="only long repeats are ruled out",
        formula="-inf for a token that would complete an n-gram already written",
        source="Paulus et al. 2017, arXiv 1705.04304",
        examples=(3,),
        example_text="mat floor bed mat floor",
        aliases=("ngram_size", "no_repeat_ngram"),
    ),
}
