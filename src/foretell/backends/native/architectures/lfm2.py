"""LFM2 (Liquid AI 2025): most layers are short gated convolutions, some are attention.

Queries and keys are normed by heads, as Qwen 3's are; a convolution reads each channel's last few
inputs, and nothing before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.hybrid import HybridDecoder
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.state_spaces import MAX_TAPS, check_channels
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape

ATTENTION, CONV = "full_attention", "conv"
OLDER_NAMES = {"block_ff_dim": "intermediate_size", "tie_embedding": "tie_word_embeddings"}
"""Names in older configs, which win in transformers where a config has both."""


@dataclass(frozen=True)
class LFM2(HybridDecoder):
    """The sizes of one LFM2 model, and its computation.

    Attributes:
        taps: inputs of a convolution.
    """

    ARCHITECTURES: ClassVar = ("lfm2",)
    MODEL_TYPES: ClassVar = ("lfm2",)
    DEFAULTS: ClassVar = {
        "norm_eps": 1e-5,
        "num_key_value_heads": 8,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
    }
    LAYER_KINDS: ClassVar = {ATTENTION: True, CONV: False}
    CONFIG_EPS: ClassVar = "norm_eps"
    HAS_HEAD_NORMS: ClassVar = True
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(
            attn_norm="operator_norm",
            attn_q_norm="self_attn.q_layernorm",
            attn_k_norm="self_attn.k_layernorm",
            attn_output="self_attn.out_proj",
            ffn_norm="ffn_norm",
            ffn_gate="feed_forward.w1",
            ffn_up="feed_forward.w3",
            ffn_down="feed_forward.w2",
        ),
        "blk.{}.shortconv.in_proj.weight": HFName("model.layers.{}.conv.in_proj.weight"),
        "blk.{}.shortconv.conv.weight": HFName("model.layers.{}.conv.conv.weight"),
        "blk.{}.shortconv.out_proj.weight": HFName("model.layers.{}.conv.out_proj.weight"),
        "token_embd_norm.weight": HFName("model.embedding_norm.weight"),
    }

    taps: int = 3

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        check_channels(reader, model.width)
        return replace(model, taps=reader.integer("shortconv.l_cache", 1, MAX_TAPS))

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        check_channels(reader, model.width)
        taps = reader.integer("conv_L_cache", 1, MAX_TAPS, 3)
        return replace(model, hidden=_hidden(reader), taps=taps)

    @classmethod
    def _config_reader(cls, checkpoint: Checkpoint) -> MetadataReader:
        config = checkpoint.config
        older = {usual: config[own] for own, usual in OLDER_NAMES.items() if own in config}
        names = {usual: own for own, usual in OLDER_NAMES.items() if own in config}
        source = f"{escape(checkpoint.path)}/config.json"
        return MetadataReader.of_config({**cls.DEFAULTS, **config, **older}, source, names)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        if reader.flag("conv_bias", False):
            raise reader.unsupported("conv_bias=true")

    @classmethod
    def _usual_kinds(cls, reader: MetadataReader, layers: int) -> list[str]:
        listed = reader.integers("full_attn_idxs", [*range(layers)])
        return [ATTENTION if layer in listed else CONV for layer in range(layers)]

    def _norm(self, plan: Plan, x: Value, name: str, residual: Value | None = None) -> Value:
        own = "token_embd_norm" if name == "output_norm" else name
        return super()._norm(plan, x, own, residual)

    def _mix(self, plan: Plan, h: Value, name: str, residual: Value | None) -> Value:
        part, width = f"{name}.shortconv", self.width
        gate, factor, x = plan.linears(h, f"{part}.in_proj.weight", (width, width, width))
        y = plan.gated_conv(x, f"{part}.conv.weight", self.taps, gate=gate, factor=factor)
        return plan.linear(y, f"{part}.out_proj.weight", width, residual=residual)


def _hidden(reader: MetadataReader) -> int:
    """Width of the MLP, as a config says."""
    hidden = reader.integer("intermediate_size", 1, 2**20)
    if not reader.flag("block_auto_adjust_ff_dim", True):
        return hidden
    multiple = reader.integer("block_multiple_of", 1, 2**20, 256)
    hidden = int(reader.number("block_ffn_dim_multiplier", 0, 2**10, 1) * int(2 * hidden / 3))
    return -(-hidden // multiple) * multiple


FAMILY = LFM2
