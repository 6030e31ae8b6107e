"""Granite 4 H (IBM 2025), its dense models: Granite, most of whose layers are Mamba 2's mixers.

The layers of attention rotate nothing: the states tell positions apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.architectures.granite import Granite
from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.hybrid import HybridDecoder
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.state_spaces import StateSpace, mixer_names
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

CONFIG_KEYS = {
    "conv_kernel": "mamba_d_conv",
    "expand": "mamba_expand",
    "head_dim": "mamba_d_head",
    "n_groups": "mamba_n_groups",
    "num_heads": "mamba_n_heads",
    "state_size": "mamba_d_state",
    "use_bias": "mamba_proj_bias",
    "use_conv_bias": "mamba_conv_bias",
}
MIXER = "linear_attention"
USUAL_MIXER = {"mamba_n_groups": 1, "mamba_n_heads": 128, "mamba_d_state": 256}


@dataclass(frozen=True)
class GraniteHybrid(HybridDecoder, Granite):
    """The sizes of one Granite 4 H model, and its computation.

    Attributes:
        mixer: of the layers without attention.
        is_rotated: whether layers of attention rotate queries and keys.
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("granitehybrid",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("granitemoehybrid",)
    DEFAULTS: ClassVar = USUAL_MIXER
    LAYER_KINDS: ClassVar = {
        "full_attention": True,
        MIXER: False,
        "attention": True,  # in older configs
        "mamba": False,
    }
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(ffn_up="shared_mlp.input_linear", ffn_down="shared_mlp.output_linear"),
        **mixer_names("model.layers.{}.mamba"),
    }

    mixer: StateSpace | None = None
    is_rotated: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        reader.integer("expert_shared_feed_forward_length", 0, 2**20, 0)  # of the only MLP
        return replace(
            model,
            mixer=None if all(model.attends) else StateSpace.of_gguf(reader),
            is_rotated=reader.flag("rope.scaling.finetuned", True),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        has_mixers = not all(model.attends)
        mixer = StateSpace.of_config(reader, model.width, CONFIG_KEYS) if has_mixers else None
        return replace(
            model,
            hidden=reader.integer("shared_intermediate_size", 1, 2**20, 1024),
            mixer=mixer,
            is_rotated=reader.values.get("position_embedding_type") == "rope",
            fuses_gate=True,
        )

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        if reader.integer("num_local_experts", 0, 2**16, 8) > 0:
            raise reader.unsupported("a mixture of experts")

    @classmethod
    def _usual_kinds(cls, reader: MetadataReader, layers: int) -> list[str]:
        return [MIXER] * layers

    def rotates(self, layer: int) -> bool:
        """Whether this layer's queries and keys are rotated."""
        return self.is_rotated and self.attends[layer]

    def _mix(self, plan: Plan, h: Value, name: str, residual: Value | None) -> Value:
        assert self.mixer is not None
        y = self.mixer.mix(plan, h, name, self.eps)
        return self._add(plan, y, f"{name}.ssm_out", residual)


FAMILY = GraniteHybrid
