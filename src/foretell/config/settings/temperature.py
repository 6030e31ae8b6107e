"""Temperature."""

from __future__ import annotations

from foretell.config.ranges import FINITE, Range
from foretell.config.settings.setting import Kind, Setting

HEADING = "Temperature"

ROWS: dict[str, Setting] = {
    "temperature": Setting(
        Range(float, 0.0, FINITE, "logits are divided by it; 0 is greedy", (0.1, 2.0), neutral=0),
        Kind.SAMPLER,
        low="deterministic, repeats itself",
        high="creative, then incoherent",
        formula="p = softmax(x / T)",
        source="Ackley et al. 1985",
        neutral=1,
        with_others="0 (greedy) contradicts do_sample=True, and passes over all samplers",
        examples=(0.2, 1.0, 2.0),
        aliases=("temp",),
        usual=3,
    ),
    "dynatemp_range": Setting(
        Range(
            float,
            0.0,
            FINITE,
            "how far the temperature may move with the entropy",
            (0, 2),
            neutral=0,
        ),
        Kind.MODIFIER,
        low="a fixed temperature",
        high="sure steps get colder, unsure ones hotter",
        formula="T' = T - r + 2r · (H / ln n)^e, never below 0",
        source="llama.cpp",
        examples=(0.5, 1.0),
    ),
    "dynatemp_exponent": Setting(
        Range(
            float, 0.0, FINITE, "how the temperature follows the entropy", (0.1, 10), open_low=True
        ),
        Kind.DETAIL,
        low="the temperature rises at little entropy",
        high="it rises only near the greatest entropy",
        source="llama.cpp",
        if_not_set=1,
        needs=("dynatemp_range",),
        aliases=("dynatemp_exp",),
    ),
}
