"""Settings for tasks: the textbook's table, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Recommended settings for one task.

    `span` is the range of temperatures that is recommended; `settings` has the middle of it.
    """

    task: str
    why: str
    settings: dict[str, Any]
    span: tuple[float, float] | None = field(default=None)


PRESETS: dict[str, Preset] = {
    "code": Preset(
        "writing code", "being right matters", {"temperature": 0.3, "top_p": 0.9}, (0.2, 0.4)
    ),
    "creative": Preset(
        "creative writing", "variety matters", {"temperature": 0.85, "top_p": 0.9}, (0.7, 1.0)
    ),
    "chat": Preset("chat", "a balance", {"temperature": 0.7, "top_p": 0.9}, (0.6, 0.8)),
    "summary": Preset(
        "summaries", "keeping to the facts", {"temperature": 0.4, "top_p": 0.9}, (0.3, 0.5)
    ),
    "greedy": Preset("the same answer every time", "the likeliest token", {"do_sample": False}),
    "precise": Preset(
        "short factual answers",
        "little chance, less repetition",
        {"temperature": 0.1, "top_p": 0.9, "repetition_penalty": 1.05},
    ),
}
MODEL_PRESET = "model"  # the settings that the model's own files recommend
