"""InternLM 2 (Cai et al. 2024, arXiv 2403.17297): Llama, by other names.

Checkpoints keep queries, keys and values in one weight: the queries that share a key and a value,
these two, and so on. GGUF files keep them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import FUSED_QKV, Decoder, hf_names
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.source import HFName
from foretell.formats.metadata import MetadataReader


@dataclass(frozen=True)
class InternLM2(Decoder):
    """The sizes of one InternLM 2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("internlm2",)
    MODEL_TYPES: ClassVar = ("internlm2",)
    IS_INTERLEAVED: ClassVar = True
    HF_NAMES: ClassVar = {
        "token_embd.weight": HFName("model.tok_embeddings.weight"),
        **hf_names(
            attn_norm="attention_norm",
            attn_qkv="attention.wqkv",
            attn_output="attention.wo",
            ffn_norm="ffn_norm",
            ffn_gate="feed_forward.w1",
            ffn_up="feed_forward.w3",
            ffn_down="feed_forward.w2",
        ),
        "output_norm.weight": HFName("model.norm.weight"),
        "output.weight": HFName("output.weight"),
    }

    def _parts_of_fused(self, plan: Plan, h: Value, fused: str) -> tuple[Value, Value, Value]:
        heads = self.shape.heads
        query, kv = heads.query * heads.dim, heads.kv * heads.dim
        q, k, v = self._linears(plan, h, fused, (query, kv, kv), groups=heads.kv)
        return q, k, v

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset((FUSED_QKV, "attn_output") if reader.flag("bias", False) else ())


FAMILY = InternLM2
