"""Dynamic temperature: hotter where the model is unsure."""

from __future__ import annotations

import numpy as np

from foretell.config import RANGES, GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.elementary import log_of, pow_of
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, in_force
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.softmax import entropy, softmax
from foretell.utils.arrays import Logits


class DynamicTemperature:
    """logits / T with T = low + (high - low) · (H / ln n) ** exponent, as in llama.cpp.

    low = max(0, temperature - range), high = temperature + range; H is the entropy in nats of the n
    tokens still possible, so that H / ln n is 0 when the model is sure and 1 when all are alike.
    A row with one candidate is left as it is. T = 0 leaves the largest logits alone; any other T
    rules nothing out. temperature ≥ 0, range ≥ 0, exponent > 0.
    """

    def __init__(self, temperature: float, dynatemp_range: float, exponent: float = 1.0) -> None:
        RANGES["temperature"].check("temperature", temperature)
        RANGES["dynatemp_range"].check("dynatemp_range", dynatemp_range)
        RANGES["dynatemp_exponent"].check("dynatemp_exponent", exponent)
        self._low = max(0.0, temperature - dynatemp_range)
        self._high = temperature + dynatemp_range
        self._exponent = exponent

    def __call__(self, row: Logits, history: History) -> None:
        """Divide the row by the temperature that its entropy asks for."""
        num_candidates = int(np.count_nonzero(row > -np.inf))
        if num_candidates < 2:
            return
        share = min(1.0, entropy(softmax(row)) / log_of(num_candidates))
        temperature = self._low + (self._high - self._low) * pow_of(share, self._exponent)
        if temperature > 0:
            Temperature(temperature)(row, history)
        else:
            np.putmask(row, row < row.max(), -np.inf)


def _temperature(value: float, config: GenerationConfig, _: ChainContext) -> Processor | None:
    temperature = max(value, config.rules.least_temperature)
    if config.dynatemp_range:
        exponent = in_force("dynatemp_exponent", config)
        return DynamicTemperature(temperature, config.dynatemp_range, exponent)
    return Temperature(temperature) if temperature != 1 else None


BUILDERS: dict[str, Builder] = {"temperature": _temperature}
