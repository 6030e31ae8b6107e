"""The options of the native backend that are one of a few words."""

from typing import Literal

Quantize = Literal["q8", "q4"]
Activations = Literal["int8", "float32"]
KVDtype = Literal["float16", "bfloat16", "float32", "q8"]
