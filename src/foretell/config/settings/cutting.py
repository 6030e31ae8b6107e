"""Samplers that cut."""

from __future__ import annotations

import math

from foretell.config.ranges import FINITE, Range
from foretell.config.settings.setting import Kind, Setting

HEADING = "Samplers that cut"

ROWS: dict[str, Setting] = {
    "top_k": Setting(
        Range(int, 0, math.inf, "keep the k most probable tokens; 0 is off", (1, 100), neutral=0),
        Kind.TRUNCATION,
        low="safe, plain",
        high="varied",
        formula="keep x ≥ the k-th largest x",
        source="Fan et al. 2018, arXiv 1805.04833",
        examples=(1, 3),
        usual=4,
    ),
    "top_p": Setting(
        Range(
            float,
            0.0,
            1.0,
            "keep the smallest set with this much probability; 1 is off",
            (0.1, 1),
            neutral=1,
        ),
        Kind.TRUNCATION,
        low="focused",
        high="varied",
        formula="keep the fewest tokens, likeliest first, with Σ p ≥ top_p",
        source="Holtzman et al. 2019, arXiv 1904.09751",
        examples=(0.6, 0.9),
        usual=5,
        aliases=("nucleus_p",),
    ),
    "min_p": Setting(
        Range(
            float,
            0.0,
            1.0,
            "keep what has this share of the best token's probability; 0 is off",
            (0.01, 0.5),
            neutral=0,
        ),
        Kind.TRUNCATION,
        low="varied",
        high="only rivals of the best token",
        formula="keep p ≥ min_p · max p",
        source="Nguyen et al. 2024, arXiv 2407.01082",
        examples=(0.2, 0.45),
        usual=6,
    ),
    "typical_p": Setting(
        Range(
            float,
            0.0,
            1.0,
            "keep this much probability, the most typical first; 1 is off",
            (0.1, 1),
            neutral=1,
            open_low=True,
        ),
        Kind.TRUNCATION,
        low="only tokens about as surprising as expected",
        high="varied",
        formula="keep the smallest |-ln p - H| first, until Σ p ≥ typical_p",
        source="Meister et al. 2022, arXiv 2202.00666",
        examples=(0.3, 0.7),
        aliases=("typ_p",),
    ),
    "epsilon_cutoff": Setting(
        Range(
            float, 0.0, 1.0, "keep what is at least this probable; 0 is off", (1e-4, 0.1), neutral=0
        ),
        Kind.TRUNCATION,
        low="cuts only the long tail",
        high="cuts what is merely unlikely",
        formula="keep p ≥ ε",
        source="Hewitt et al. 2022, arXiv 2210.15191",
        examples=(0.06, 0.09),
    ),
    "eta_cutoff": Setting(
        Range(
            float,
            0.0,
            1.0,
            "as epsilon_cutoff, but lower where the entropy is high; 0 is off",
            (1e-4, 0.1),
            neutral=0,
        ),
        Kind.TRUNCATION,
        low="cuts only the long tail",
        high="cuts more, most where the model is sure",
        formula="keep p ≥ min(ε, √ε · exp(-H))",
        source="Hewitt et al. 2022, arXiv 2210.15191",
        examples=(0.02, 0.1),
    ),
    "top_h": Setting(
        Range(
            float,
            0.0,
            1.0,
            "keep the likeliest tokens up to this share of the entropy",
            (0.1, 0.9),
            open_low=True,
        ),
        Kind.TRUNCATION,
        low="focused",
        high="varied",
        formula="keep the likeliest while Σ -p ln p ≤ top_h · H",
        source="transformers",
        examples=(0.3, 0.8),
    ),
    "top_n_sigma": Setting(
        Range(
            float,
            0.0,
            FINITE,
            "keep logits within n standard deviations of the largest; 0 is off",
            (0.5, 3),
            neutral=0,
        ),
        Kind.TRUNCATION,
        low="close to greedy",
        high="varied; unlike top-p, the same at any temperature",
        formula="keep x ≥ max x - n · σ(x)",
        source="Tang et al. 2024, arXiv 2411.07641",
        examples=(0.5, 1.5),
        aliases=("nsigma",),
    ),
    "min_tokens_to_keep": Setting(
        Range(int, 1, math.inf, "candidates that samplers leave", neutral=1),
        Kind.DETAIL,
        low="samplers may cut to one",
        high="there is always a choice",
        aliases=("min_keep",),
    ),
}
