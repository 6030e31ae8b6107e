"""From settings to the processors that they turn on, in order (row 5 of the design)."""

from __future__ import annotations

from foretell.config import GenerationConfig
from foretell.decoding.processors.base import Processor
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import TopK, TopP


def chain(config: GenerationConfig) -> list[Processor]:
    """The processors that `config` turns on, in the order of application.

    temperature → top-k → top-p: Hugging Face's order. A setting at its neutral value (temperature
    1, top-k 0, top-p 1) adds nothing. Greedy decoding needs no processor of these.
    """
    if not config.samples:
        return []
    processors: list[Processor] = []
    if config.temperature is not None and config.temperature != 1:
        processors.append(Temperature(config.temperature))
    if config.top_k:
        processors.append(TopK(config.top_k))
    if config.top_p is not None and config.top_p < 1:
        processors.append(TopP(config.top_p))
    return processors
