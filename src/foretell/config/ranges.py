"""The legal and the useful values of each numeric setting."""

from __future__ import annotations

import math
from dataclasses import dataclass

from foretell.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """The values of one numeric setting.

    Attributes:
        kind: int or float.
        low, high: the legal bounds, included; `low` is excluded where `open_low`.
        meaning: what the number does, in a few words.
        useful: within these bounds it does what people want of it; outside earns a warning.
        neutral: the value at which it does nothing, if there is one.
    """

    kind: type
    low: float
    high: float
    meaning: str
    useful: tuple[float, float] | None = None
    neutral: float | None = None
    open_low: bool = False

    def check(self, name: str, value: object) -> None:
        """Raise ConfigError unless `value` is a number of this kind within the bounds."""
        allowed = (int,) if self.kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise ConfigError(f"{name}={value!r} must be {self}")
        above = self.low < value if self.open_low else self.low <= value
        if not (above and value <= self.high):  # NaN fails every comparison
            raise ConfigError(f"{name}={value!r} is out of range: must be {self}")

    def warning(self, name: str, value: float) -> str | None:
        """A sentence if the value is legal but outside the useful bounds."""
        if self.useful is None or value == self.neutral:
            return None
        low, high = self.useful
        if low <= value <= high:
            return None
        return f"{name}={value!r} is legal, but {low:g} to {high:g} is the useful range"

    def __str__(self) -> str:
        noun = "an integer" if self.kind is int else "a number"
        if math.isinf(self.high):
            bound = "" if math.isinf(self.low) else f" {'>' if self.open_low else '≥'} {self.low:g}"
            return f"{noun}{bound} ({self.meaning})"
        high = str(self.high) if self.kind is int else f"{self.high:g}"
        above = "above " if self.open_low else ""
        return f"{noun} from {above}{self.low:g} to {high} ({self.meaning})"


MAX_SEED = 2**64 - 1
MAX_SAMPLES = 10_000
MAX_BEAMS = 1000
FINITE = 3.0e38  # the largest temperature that a float32 division can take
TOKEN_ID = Range(int, 0, 2**31 - 1, "a token id")

_PENALTY = (-2.0, 2.0)

RANGES: dict[str, Range] = {
    "max_new_tokens": Range(int, 1, math.inf, "tokens to generate at most"),
    "max_length": Range(int, 1, math.inf, "tokens of prompt and output together at most"),
    "min_new_tokens": Range(int, 0, math.inf, "tokens to generate at least", neutral=0),
    "min_length": Range(int, 0, math.inf, "tokens of prompt and output at least", neutral=0),
    "max_time": Range(float, 0.0, FINITE, "seconds after which to stop", open_low=True),
    "temperature": Range(
        float, 0.0, FINITE, "logits are divided by it; 0 is greedy", (0.1, 2.0), neutral=0
    ),
    "dynatemp_range": Range(
        float, 0.0, FINITE, "how far the temperature may move with the entropy", (0, 2), neutral=0
    ),
    "dynatemp_exponent": Range(
        float, 0.0, FINITE, "how the temperature follows the entropy", (0.1, 10), open_low=True
    ),
    "top_k": Range(
        int, 0, math.inf, "keep the k most probable tokens; 0 is off", (1, 100), neutral=0
    ),
    "top_p": Range(
        float,
        0.0,
        1.0,
        "keep the smallest set with this much probability; 1 is off",
        (0.1, 1),
        neutral=1,
    ),
    "min_p": Range(
        float,
        0.0,
        1.0,
        "keep what has this share of the best token's probability; 0 is off",
        (0.01, 0.5),
        neutral=0,
    ),
    "typical_p": Range(
        float,
        0.0,
        1.0,
        "keep this much probability, the most typical first; 1 is off",
        (0.1, 1),
        neutral=1,
        open_low=True,
    ),
    "epsilon_cutoff": Range(
        float, 0.0, 1.0, "keep what is at least this probable; 0 is off", (1e-4, 0.1), neutral=0
    ),
    "eta_cutoff": Range(
        float,
        0.0,
        1.0,
        "as epsilon_cutoff, but lower where the entropy is high; 0 is off",
        (1e-4, 0.1),
        neutral=0,
    ),
    "top_h": Range(
        float,
        0.0,
        1.0,
        "keep the likeliest tokens up to this share of the entropy",
        (0.1, 0.9),
        open_low=True,
    ),
    "top_n_sigma": Range(
        float,
        0.0,
        FINITE,
        "keep logits within n standard deviations of the largest; 0 is off",
        (0.5, 3),
        neutral=0,
    ),
    "xtc_probability": Range(
        float, 0.0, 1.0, "how often the likeliest tokens are taken out; 0 is off", neutral=0
    ),
    "xtc_threshold": Range(
        float,
        0.0,
        1.0,
        "tokens this probable are the likeliest; above 0.5 is off",
        (0.05, 0.5),
    ),
    "mirostat": Range(int, 0, 2, "version of mirostat; 0 is off"),
    "mirostat_tau": Range(
        float, 0.0, FINITE, "surprise to aim at, in bits", (1, 10), open_low=True
    ),
    "mirostat_eta": Range(float, 0.0, FINITE, "how fast mirostat corrects itself", (0.01, 1)),
    "adaptive_target": Range(
        float, 0.0, 1.0, "probability that chosen tokens should have on average", (0.1, 0.9)
    ),
    "adaptive_decay": Range(float, 0.0, 0.99, "how slowly adaptive-p forgets", (0.5, 0.99)),
    "min_tokens_to_keep": Range(int, 1, math.inf, "candidates that samplers leave", neutral=1),
    "repetition_penalty": Range(
        float,
        0.0,
        FINITE,
        "logits of seen tokens are divided (if negative, multiplied) by it",
        (1, 2),
        neutral=1,
        open_low=True,
    ),
    "frequency_penalty": Range(
        float, -FINITE, FINITE, "taken off a token's logit for each time it was seen", _PENALTY
    ),
    "presence_penalty": Range(
        float, -FINITE, FINITE, "taken off a token's logit if it was seen", _PENALTY
    ),
    "dry_multiplier": Range(
        float,
        0.0,
        FINITE,
        "strength of the penalty on repeating a sequence; 0 is off",
        (0.1, 5),
        neutral=0,
    ),
    "dry_base": Range(float, 1.0, FINITE, "growth of that penalty with the length", (1, 4)),
    "dry_allowed_length": Range(int, 0, math.inf, "repeated tokens that cost nothing", (1, 20)),
    "dry_penalty_last_n": Range(int, 1, math.inf, "tokens looked back on; not set: all"),
    "no_repeat_ngram_size": Range(
        int, 0, math.inf, "no n-gram of this size comes twice; 0 is off", (2, 10), neutral=0
    ),
    "guidance_scale": Range(
        float, 0.0, FINITE, "pull away from the negative prompt; 1 is off", (1, 10)
    ),
    "seed": Range(int, 0, MAX_SEED, "fixes every random draw"),
    "num_return_sequences": Range(int, 1, MAX_SAMPLES, "samples of one prompt", neutral=1),
    "num_beams": Range(
        int,
        1,
        MAX_BEAMS,
        "continuations kept side by side; 1 is no beam search",
        (1, 20),
        neutral=1,
    ),
    "length_penalty": Range(
        float, -FINITE, FINITE, "power of the length that a beam's score is divided by", (-2, 5)
    ),
    "logprobs": Range(int, 0, math.inf, "alternatives to report beside each chosen token"),
    "prompt_logprobs": Range(int, 0, math.inf, "alternatives to report beside each prompt token"),
}
