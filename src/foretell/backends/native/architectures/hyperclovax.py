"""HyperCLOVA X SEED Think (NAVER 2025): Granite with norms after attention and MLP, too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.architectures.granite import Granite
from foretell.backends.native.decoder import Decoder, Factors, hf_names
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class HyperCLOVAX(Granite):
    """The sizes of one HyperCLOVA X model, and its computation.

    Attributes:
        norms_after: whether there are norms after attention and MLP.
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ()
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("hyperclovax",)
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(post_attention_norm="post_norm1", post_ffw_norm="post_norm2"),
    }

    norms_after: bool = True

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = cls._config_reader(checkpoint)
        return replace(
            super().from_config(checkpoint), norms_after=reader.flag("use_post_norm", True)
        )

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        if not self.norms_after:
            return super()._block(plan, x, layer, rope)
        name, factor = f"blk.{layer}", self.factors.residual
        h = self._attention(plan, self._norm(plan, x, f"{name}.attn_norm"), layer, rope)
        x = plan.add(x, self._norm(plan, h, f"{name}.post_attention_norm"), factor)
        h = self._feed_forward(plan, self._norm(plan, x, f"{name}.ffn_norm"), name)
        return plan.add(x, self._norm(plan, h, f"{name}.post_ffw_norm"), factor)

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        """Logits are multiplied, where Granite's are divided."""
        factors = super()._config_factors(reader)
        stated = "attention_multiplier" in reader
        return replace(
            factors, attention=factors.attention if stated else None, logits=1 / factors.logits
        )


FAMILY = HyperCLOVAX
