"""Llama 1 to 3, SmolLM2 (Touvron et al. 2023, arXiv 2302.13971): what its kin are measured by.

norm, attention, residual, norm, gated MLP, residual; the output shares the embedding's matrix
where the file has none of its own. `decoder.py` has all of it. GGUF files of Mixtral are Llama's
too: they have experts in place of the MLP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.mixtures import Mixture, MixtureDecoder
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class Llama(MixtureDecoder):
    """The sizes of one Llama model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("llama",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("llama",)
    CONFIG_NAMES: ClassVar = {}  # of experts, which files alone have
    IS_INTERLEAVED: ClassVar = True

    def _config_mixture(self, reader: MetadataReader) -> Mixture | None:
        """A checkpoint that is Llama's has none."""
        return None


FAMILY = Llama
