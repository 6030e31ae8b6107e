"""IQuest-Coder (IQuest Lab 2026): Llama by another name, with defaults of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.llama import Llama


@dataclass(frozen=True)
class IQuestCoder(Llama):
    """The sizes of one IQuest-Coder model, and its computation."""

    ARCHITECTURES: ClassVar = ()
    MODEL_TYPES: ClassVar = ("iquestcoder",)
    DEFAULTS: ClassVar = {"head_dim": 128, "num_key_value_heads": 8, "rms_norm_eps": 1e-5}


FAMILY = IQuestCoder
