"""GLM-4-0414 (GLM Team 2025): GLM with norms after attention and MLP, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.glm import GLM
from foretell.backends.native.decoder import hf_names
from foretell.backends.native.plan import Plan, RopeTable, Value


@dataclass(frozen=True)
class GLM4(GLM):
    """The sizes of one GLM-4-0414 model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("glm4",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("glm4",)
    HF_NAMES: ClassVar = {
        **GLM.HF_NAMES,
        **hf_names(
            post_attention_norm="post_self_attn_layernorm", post_ffw_norm="post_mlp_layernorm"
        ),
    }

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        name = f"blk.{layer}"
        h = self._attention(plan, self._norm(plan, x, f"{name}.attn_norm"), layer, rope)
        x = self._norm(plan, h, f"{name}.post_attention_norm", residual=x)
        h = self._feed_forward(plan, self._norm(plan, x, f"{name}.ffn_norm"), name)
        return self._norm(plan, h, f"{name}.post_ffw_norm", residual=x)


FAMILY = GLM4
