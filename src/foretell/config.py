"""What the user asks for: generation settings, validated the moment they are made.

Names are those of Hugging Face's `GenerationConfig`; what it lacks takes vLLM's name.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import secrets
from dataclasses import dataclass
from typing import Any

from foretell.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """The legal values of one numeric setting, bounds included."""

    kind: type
    low: float
    high: float
    meaning: str

    def check(self, name: str, value: object) -> None:
        """Raise ConfigError unless `value` is a number of this kind within the bounds."""
        allowed = (int,) if self.kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise ConfigError(f"{name}={value!r} must be {self}")
        if not self.low <= value <= self.high:  # NaN fails every comparison
            raise ConfigError(f"{name}={value!r} is out of range: must be {self}")

    def __str__(self) -> str:
        noun = "an integer" if self.kind is int else "a number"
        if math.isinf(self.high):
            return f"{noun} ≥ {self.low:g} ({self.meaning})"
        high = str(self.high) if self.kind is int else f"{self.high:g}"
        return f"{noun} from {self.low:g} to {high} ({self.meaning})"


MAX_SEED = 2**64 - 1
FINITE = 3.0e38  # the largest temperature that a float32 division can take

RANGES: dict[str, Range] = {
    "max_new_tokens": Range(int, 1, math.inf, "tokens to generate at most"),
    "temperature": Range(float, 0.0, FINITE, "logits are divided by it; 0 is greedy"),
    "top_k": Range(int, 0, math.inf, "keep the k most probable tokens; 0 is off"),
    "top_p": Range(float, 0.0, 1.0, "keep the smallest set with this much probability; 1 is off"),
    "seed": Range(int, 0, MAX_SEED, "fixes every random draw"),
    "logprobs": Range(int, 0, math.inf, "alternatives to report beside each chosen token"),
}

SAMPLING_SETTINGS = ("temperature", "top_k", "top_p")


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """Settings of one request. `None` means: not set, the plain default holds.

    Without any sampling setting, decoding is greedy; with one (`temperature`, `top_k`, `top_p`),
    it samples. `do_sample` says it outright, and a contradiction raises ConfigError.

    Attributes:
        max_new_tokens: most tokens to generate, ≥ 1. Not set: until end-of-sequence or the
            context is full.
        do_sample: True samples, False is greedy.
        temperature: logits are divided by it before the softmax, ≥ 0; 0 is greedy.
        top_k: keep the k most probable tokens, ties at the k-th kept; 0 is off.
        top_p: keep the smallest set whose probability reaches p, 0 to 1, the crossing token
            included (Holtzman et al. 2019, arXiv 1904.09751); 1 is off.
        seed: 0 to 2**64 - 1, fixes every draw. Not set: drawn anew, and told in the output.
        logprobs: report the log-probability of each chosen token, with this many of the most
            probable alternatives (0: the chosen token alone).
        ignore_eos: go on past end-of-sequence tokens (for measurements).
    """

    max_new_tokens: int | None = None
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    logprobs: int | None = None
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if value is not None:
                allowed.check(name, value)
        for name in ("do_sample", "ignore_eos"):
            value = getattr(self, name)
            if not (isinstance(value, bool) or (value is None and name == "do_sample")):
                raise ConfigError(f"{name}={value!r} must be True or False")
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if self.do_sample is False:
            for name in SAMPLING_SETTINGS:
                value = getattr(self, name)
                if value is not None and not (name == "temperature" and value == 0):
                    raise ConfigError(
                        f"{name}={value!r} has no effect with do_sample=False (greedy): "
                        f"drop one of the two"
                    )
        if self.do_sample and self.temperature == 0:
            raise ConfigError("do_sample=True contradicts temperature=0 (greedy): drop one")

    @property
    def samples(self) -> bool:
        """Whether tokens are drawn at random rather than taken greedily."""
        if self.do_sample is not None:
            return self.do_sample
        if self.temperature == 0:
            return False
        return any(getattr(self, name) is not None for name in SAMPLING_SETTINGS)

    def override(self, **settings: Any) -> GenerationConfig:
        """Return a copy with `settings` replaced; an unknown name raises ConfigError."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in settings:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                raise ConfigError(f"unknown setting {name!r}: {hint}")
        return dataclasses.replace(self, **settings)

    def with_seed(self) -> GenerationConfig:
        """Return settings that can be run again alike: a seed is drawn where sampling lacks one."""
        if self.seed is not None or not self.samples:
            return self
        return dataclasses.replace(self, seed=secrets.randbits(32))

    def as_dict(self) -> dict[str, Any]:
        """The settings that are set, by name, ready for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(GenerationConfig)}
