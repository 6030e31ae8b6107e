"""gpt-oss (OpenAI 2025, arXiv 2508.10925): experts in MXFP4, sinks of attention, biases everywhere.

Windows on every other layer, and a gated unit that is clamped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import QKV, Decoder
from foretell.backends.native.mixtures import EXPERTS, ROUTER, MixtureDecoder, router_names
from foretell.backends.native.model import file_windows, layer_windows
from foretell.backends.native.plan import Plan, Scores, Value
from foretell.backends.native.rope import file_rope
from foretell.backends.native.weights.experts import Stack
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

PATTERN = 2  # every second layer sees all
BLOCK = "model.layers.{}.mlp.experts"
BIASES = frozenset((ROUTER, *EXPERTS))


def _stack(name: str, part: int, parts: int) -> HFName:
    """In floats, matrices are kept transposed; in MXFP4 they are not."""
    return HFName(
        "", stacks=(Stack(f"{BLOCK}.{name}", part, parts, takes_turns=True, transposed=True),)
    )


def _vectors(name: str, part: int, parts: int) -> HFName:
    return HFName("", stacks=(Stack(f"{BLOCK}.{name}_bias", part, parts, takes_turns=True),))


@dataclass(frozen=True)
class GptOss(MixtureDecoder):
    """The sizes of one gpt-oss model, and its computation."""

    ARCHITECTURES: ClassVar = ("gpt-oss",)
    MODEL_TYPES: ClassVar = ("gpt_oss",)
    DEFAULTS: ClassVar = {
        "attention_bias": True,
        "head_dim": 64,
        "num_experts_per_tok": 4,
        "num_key_value_heads": 8,
        "num_local_experts": 128,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "yarn",
            "factor": 32.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": 4096,
        },
        "rope_theta": 150_000.0,
        "sliding_window": 128,
    }
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **router_names("mlp.router"),
        "blk.{}.attn_sinks.weight": HFName("model.layers.{}.self_attn.sinks"),
        "blk.{}.post_attention_norm.weight": Decoder.HF_NAMES["blk.{}.ffn_norm.weight"],
        "blk.{}.ffn_gate_exps.weight": _stack("gate_up_proj", 0, 2),
        "blk.{}.ffn_up_exps.weight": _stack("gate_up_proj", 1, 2),
        "blk.{}.ffn_down_exps.weight": _stack("down_proj", 0, 1),
        "blk.{}.ffn_gate_exps.bias": _vectors("gate_up_proj", 0, 2),
        "blk.{}.ffn_up_exps.bias": _vectors("gate_up_proj", 1, 2),
        "blk.{}.ffn_down_exps.bias": _vectors("down_proj", 0, 1),
    }

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        dim = reader.integer("attention.key_length", 16, 1024)
        rope = file_rope(file, reader, dim, interleaved=False, truncate=False)
        return replace(model, rope=rope, biases=model.biases | BIASES)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        for name, usual in (("swiglu_limit", 7.0), ("swiglu_alpha", 1.702)):
            if reader.number(name, 0, 1e6, usual) != usual:
                raise reader.unsupported(f"{name} other than {usual:g}")

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        has_biases = reader.flag("attention_bias", True)
        return BIASES | frozenset((*QKV, "attn_output") if has_biases else ())

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        window = reader.integer("sliding_window", 1, 2**24)
        return layer_windows(reader, layers, window=window, pattern=PATTERN)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers, pattern=PATTERN)

    def _scores(self, layer: int) -> Scores:
        return replace(super()._scores(layer), sinks=f"blk.{layer}.attn_sinks.weight")

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = self._norm(plan, x, f"{name}.post_attention_norm")
        return self._feed_forward(plan, h, name, residual=x)

    def _expert_activation(self, plan: Plan, gates: Value, values: Value) -> Value:
        return plan.clamped_swiglu(gates, values)


FAMILY = GptOss
