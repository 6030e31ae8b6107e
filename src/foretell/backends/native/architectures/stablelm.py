"""StableLM (Bellagamba et al. 2024, arXiv 2402.17834): layer norms, a quarter of a head rotated.

Stable LM 2 12B adds the outputs of attention and MLP, which both see the same normed rows, and
norms each head of queries and keys with weights of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import QKV, LayerNormDecoder, hf_names
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class StableLM(LayerNormDecoder):
    """The sizes of one StableLM model, and its computation.

    Attributes:
        is_parallel: whether attention and MLP see the same rows.
        norms_heads: whether each query and key is normed.
    """

    ARCHITECTURES: ClassVar = ("stablelm",)
    MODEL_TYPES: ClassVar = ("stablelm",)
    DEFAULTS: ClassVar = {
        "layer_norm_eps": 1e-5,
        "num_key_value_heads": 32,
        "partial_rotary_factor": 0.25,
    }
    HF_NAMES: ClassVar = {
        **LayerNormDecoder.HF_NAMES,
        **hf_names(attn_q_norm="self_attn.q_layernorm", attn_k_norm="self_attn.k_layernorm"),
    }

    is_parallel: bool = False
    norms_heads: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata.

        Like llama.cpp it is the tensors that tell; `use_parallel_residual` is often wrong.
        """
        reader.flag("use_parallel_residual", True)
        return replace(
            super().from_gguf(file, reader),
            is_parallel="blk.0.ffn_norm.weight" not in file.tensors,
            norms_heads="blk.0.attn_q_norm.weight" in file.tensors,
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = cls._config_reader(checkpoint)
        if reader.flag("qk_layernorm", False):
            raise reader.unsupported("qk_layernorm=true")
        is_parallel = reader.flag("use_parallel_residual", False)
        return replace(super().from_config(checkpoint), is_parallel=is_parallel)

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        if not self.is_parallel:
            return super()._block(plan, x, layer, rope)
        h = self._norm(plan, x, f"blk.{layer}.attn_norm")
        x = self._attention(plan, h, layer, rope, residual=x)
        return self._feed_forward(plan, h, f"blk.{layer}", residual=x)

    def _norm_heads(self, plan: Plan, q: Value, k: Value, name: str) -> tuple[Value, Value]:
        return self._norm_each_head(plan, q, k, name) if self.norms_heads else (q, k)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset(QKV if reader.flag("use_qkv_bias", False) else ())


FAMILY = StableLM
