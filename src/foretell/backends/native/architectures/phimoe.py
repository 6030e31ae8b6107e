"""Phi-3.5-MoE (Abdin et al. 2024, arXiv 2404.14219): layer norms, experts of a sparse mixer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native._core import Routing, Scoring
from foretell.backends.native.decoder import LayerNormDecoder
from foretell.backends.native.mixtures import MixtureDecoder, expert_names, router_names
from foretell.backends.native.model import same_window
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

NOISE = 0.01  # that training had: how near an expert must be, relatively, is twice that


@dataclass(frozen=True)
class PhiMoe(MixtureDecoder, LayerNormDecoder):
    """The sizes of one Phi-3.5-MoE model, and its computation.

    Attributes:
        has_output_bias: whether logits have a bias.
    """

    ARCHITECTURES: ClassVar = ("phimoe",)
    MODEL_TYPES: ClassVar = ("phimoe",)
    DEFAULTS: ClassVar = {
        "num_experts_per_tok": 2,
        "num_key_value_heads": 8,
        "num_local_experts": 16,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1_000_000.0,
    }
    CONFIG_EPS: ClassVar = "rms_norm_eps"
    FILE_EPS: ClassVar = "attention.layer_norm_rms_epsilon"
    HF_NAMES: ClassVar = {
        **LayerNormDecoder.HF_NAMES,
        "output.bias": HFName("lm_head.bias"),
        **router_names("block_sparse_moe.gate", "mlp.router"),
        **expert_names("block_sparse_moe", ("w1", "w3", "w2")),
    }

    has_output_bias: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        has_bias = "output.bias" in file.tensors
        return replace(super().from_gguf(file, reader), has_output_bias=has_bias)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        scaling = reader.part("rope_scaling") or reader.part("rope_parameters")
        rope = model.rope
        if scaling is not None and "short_mscale" in scaling:
            factors = [scaling.number(f"{name}_mscale", 0, 1e3) for name in ("short", "long")]
            if factors[0] != factors[1]:
                raise scaling.unsupported("a long_mscale other than short_mscale")
            rope = replace(rope, factor=factors[0])
        has_bias = reader.flag("lm_head_bias", False)
        return replace(model, rope=rope, has_output_bias=has_bias)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        return same_window(reader, layers)

    def _logits(self, plan: Plan, x: Value) -> Value:
        bias = "output.bias" if self.has_output_bias else None
        return plan.linear(x, self.matrices.output, self.shape.vocab_size, bias=bias)

    def _config_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        noise = reader.number("router_jitter_noise", 0, 1, NOISE)
        return self._mixer(reader, experts, used, noise)

    def _file_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        return self._mixer(reader, experts, used, NOISE)

    def _mixer(self, reader: MetadataReader, experts: int, used: int, noise: float) -> Routing:
        if used != 2:
            raise reader.unsupported(f"a sparse mixer of {used} experts (not two)")
        return Routing(experts, used, Scoring.sparse_mixer, threshold=2 * noise)


FAMILY = PhiMoe
