"""DeepSeek MoE (Dai et al. 2024, arXiv 2401.06066): Llama with many small experts, some shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native._core import Routing, Scoring
from foretell.backends.native.mixtures import SigmoidMixtureDecoder
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Deepseek(SigmoidMixtureDecoder):
    """The sizes of one DeepSeek MoE model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("deepseek",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("deepseek",)
    IS_INTERLEAVED: ClassVar[bool] = True
    NORMALIZES: ClassVar = False

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        if reader.text("scoring_func", "softmax") != "softmax":
            raise reader.unsupported("a scoring_func other than softmax")
        if reader.integer("moe_layer_freq", 1, 2**16, 1) != 1:
            raise reader.unsupported("moe_layer_freq other than 1")

    def _config_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        normalizes = reader.flag("norm_topk_prob", self.NORMALIZES)
        return self._softmax(experts, used, normalizes=normalizes)

    def _file_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        return self._file_groups(reader, experts, used, Scoring.softmax)

    def _choice_bias(self, name: str) -> str | None:
        return None


FAMILY = Deepseek
