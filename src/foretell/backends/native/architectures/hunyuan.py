"""Hunyuan's dense models (Tencent 2025): queries and keys are normed once they are rotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.plan import Plan, RopeTable, Value


@dataclass(frozen=True)
class Hunyuan(Decoder):
    """The sizes of one dense Hunyuan model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("hunyuan-dense",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("hunyuan_v1_dense",)
    DEFAULTS: ClassVar = {"rms_norm_eps": 1e-5}
    HAS_HEAD_NORMS: ClassVar = True
    HF_NAMES: ClassVar = {
        **Decoder.HF_NAMES,
        **hf_names(attn_q_norm="self_attn.query_layernorm", attn_k_norm="self_attn.key_layernorm"),
    }

    def _place(
        self, plan: Plan, q: Value, k: Value, name: str, rope: RopeTable | None
    ) -> tuple[Value, Value, RopeTable | None]:
        heads = self.shape.heads
        if rope is not None:
            q, k = plan.rotate(q, rope, heads.query), plan.rotate(k, rope, heads.kv)
        return *self._norm_heads(plan, q, k, name), None


FAMILY = Hunyuan
