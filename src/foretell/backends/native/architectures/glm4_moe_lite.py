"""GLM-4.7-Flash (GLM Team 2026): DeepSeek V3 with one group of experts.

Its GGUF files are called as DeepSeek's are. Layers that predict further tokens are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from foretell.backends.native.architectures.deepseek_v3 import DeepseekV3
from foretell.backends.native.mixtures import Mixture
from foretell.formats.metadata import MetadataReader

DENSE, SPARSE = "dense", "sparse"


@dataclass(frozen=True)
class Glm4MoeLite(DeepseekV3):
    """The sizes of one GLM-4.7-Flash model, and its computation."""

    MODEL_TYPES: ClassVar = ("glm4_moe_lite",)
    DEFAULTS: ClassVar = {
        "kv_lora_rank": 512,
        "moe_intermediate_size": 1536,
        "n_routed_experts": 64,
        "n_shared_experts": 1,
        "num_experts_per_tok": 4,
        "q_lora_rank": 768,
        "qk_nope_head_dim": 192,
        "qk_rope_head_dim": 64,
        "rms_norm_eps": 1e-5,
        "routed_scaling_factor": 1.8,
        "v_head_dim": 256,
    }

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        mixture, layers = super()._config_layers(reader, mixture), self.shape.layers
        first = reader.integer("first_k_dense_replace", 0, 2**16, 1)
        usual = [DENSE if layer < first else SPARSE for layer in range(layers)]
        kinds = reader.texts("mlp_layer_types", usual)
        if len(kinds) != layers or not set(kinds) <= {DENSE, SPARSE}:
            raise reader.wrong(
                f"mlp_layer_types must be one of {DENSE!r} and {SPARSE!r} for each of {layers} "
                "layers"
            )
        dense = (layer for layer, kind in enumerate(kinds) if kind == DENSE)
        return replace(mixture, dense=frozenset(dense))


FAMILY = Glm4MoeLite
