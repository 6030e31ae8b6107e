"""The options of the native backend: those that are one of a few words, and adapters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Quantize = Literal["q8", "q4"]
Activations = Literal["int8", "float32"]
KVDtype = Literal["float16", "bfloat16", "float32", "q8"]


@dataclass(frozen=True)
class AdapterChoice:
    """An adapter that is to be merged into a model.

    Attributes:
        path: a folder of PEFT's, or a GGUF file.
        weight: how much of its change is added: 1 is all of it.
    """

    path: Path
    weight: float = 1.0
