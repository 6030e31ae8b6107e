"""Samplers that steer."""

from __future__ import annotations

from foretell.config.ranges import FINITE, Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import TOKEN_IDS

HEADING = "Samplers that steer"

ROWS: dict[str, Setting] = {
    "xtc_probability": Setting(
        Range(float, 0.0, 1.0, "how often the likeliest tokens are taken out; 0 is off", neutral=0),
        Kind.TRUNCATION,
        low="rarely leaves the beaten track",
        high="leaves it at most steps",
        formula="so often: of the tokens with p ≥ threshold keep only the least likely",
        source="p-e-w, text-generation-webui 6335",
        examples=(
            {"xtc_probability": 1.0, "xtc_threshold": 0.11},
            {"xtc_probability": 1.0, "xtc_threshold": 0.18},
        ),
    ),
    "xtc_threshold": Setting(
        Range(
            float,
            0.0,
            1.0,
            "tokens this probable are the likeliest; above 0.5 is off",
            (0.05, 0.5),
        ),
        Kind.DETAIL,
        low="takes out many tokens",
        high="takes out few",
        source="text-generation-webui 6335",
        if_not_set=0.1,
        needs=("xtc_probability",),
        examples=(
            {"xtc_probability": 1.0, "xtc_threshold": 0.11},
            {"xtc_probability": 1.0, "xtc_threshold": 0.18},
        ),
    ),
    "xtc_exempt_tokens": Setting(
        TOKEN_IDS,
        Kind.DETAIL,
        "ids that XTC never takes out, such as the newline's",
        needs=("xtc_probability",),
    ),
    "mirostat": Setting(
        Range(int, 0, 2, "version of mirostat; 0 is off"),
        Kind.ADAPTIVE,
        formula="version 2: keep -log2 p ≤ μ, then μ -= eta · (surprise - tau), at first "
        "μ = 2 tau; version 1: top-k with a k that aims at μ bits",
        source="Basu et al. 2020, arXiv 2007.14966",
        neutral=0,
        not_with={"num_beams": "it learns from one line of tokens"},
        examples=({"mirostat": 2, "mirostat_tau": 1.0}, {"mirostat": 2, "mirostat_tau": 1.5}),
        aliases=("mirostat_mode",),
    ),
    "mirostat_tau": Setting(
        Range(float, 0.0, FINITE, "surprise to aim at, in bits", (1, 10), open_low=True),
        Kind.DETAIL,
        low="predictable",
        high="surprising",
        source="arXiv 2007.14966",
        if_not_set=5,
        needs=("mirostat",),
        examples=({"mirostat": 2, "mirostat_tau": 1.0}, {"mirostat": 2, "mirostat_tau": 1.5}),
        aliases=("mirostat_ent",),
    ),
    "mirostat_eta": Setting(
        Range(float, 0.0, FINITE, "how fast mirostat corrects itself", (0.01, 1)),
        Kind.DETAIL,
        low="corrects slowly",
        high="jumps",
        source="arXiv 2007.14966",
        if_not_set=0.1,
        needs=("mirostat",),
        aliases=("mirostat_lr",),
    ),
    "adaptive_target": Setting(
        Range(float, 0.0, 1.0, "probability that chosen tokens should have on average", (0.1, 0.9)),
        Kind.ADAPTIVE,
        low="prefers unlikely tokens",
        high="prefers likely tokens",
        formula="x = 5 - 10 d² / (1 + d), d = |p - target| / 0.3, target corrected by past draws",
        source="llama.cpp",
        not_with={"num_beams": "it learns from one line of tokens"},
        examples=(0.1, 0.3),
    ),
    "adaptive_decay": Setting(
        Range(float, 0.0, 0.99, "how slowly adaptive-p forgets", (0.5, 0.99)),
        Kind.DETAIL,
        low="makes up for the last token at once",
        high="makes up slowly",
        source="llama.cpp",
        if_not_set=0.9,
        needs=("adaptive_target",),
    ),
}
