"""Gemma 2 (Gemma Team 2024, arXiv 2408.00118): Gemma with norms after attention and MLP too.

Every other layer sees a window; scores and logits are bent within caps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.architectures.gemma import Gemma, above_one
from foretell.backends.native.decoder import hf_names
from foretell.backends.native.model import layer_windows
from foretell.backends.native.plan import Plan, RopeTable, Scores, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

PATTERN = 2  # every second layer sees all
WINDOW = 4096
SCORE_CAP, LOGIT_CAP = 50.0, 30.0
LAYERS_OF_27B = 46


@dataclass(frozen=True)
class Gemma2(Gemma):
    """The sizes of one Gemma 2 model, and its computation.

    Attributes:
        score_cap: what scores are bent within; 0: they are not.
        logit_cap: the same of logits.
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("gemma2",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("gemma2",)
    DEFAULTS: ClassVar = {
        **Gemma.DEFAULTS,
        "attn_logit_softcapping": SCORE_CAP,
        "final_logit_softcapping": LOGIT_CAP,
        "num_key_value_heads": 4,
        "query_pre_attn_scalar": 256,
    }
    CONFIG_NAMES: ClassVar = {"hidden_act": "hidden_activation"}
    ACTIVATIONS: ClassVar[tuple[str, ...]] = ("gelu_pytorch_tanh", "gelu_new")
    HF_NAMES: ClassVar = {
        **Gemma.HF_NAMES,
        **above_one(
            hf_names(
                post_attention_norm="post_attention_layernorm",
                ffn_norm="pre_feedforward_layernorm",
                post_ffw_norm="post_feedforward_layernorm",
            )
        ),
    }

    score_cap: float = 0.0
    logit_cap: float = 0.0

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        heads, layers = model.shape.heads, model.shape.layers
        scaled = model.width // heads.query if layers == LAYERS_OF_27B else heads.dim
        scale = reader.number("attention.scale", 1e-6, 1e6, scaled**-0.5)
        return replace(
            model,
            factors=replace(model.factors, attention=scale),
            score_cap=reader.number("attn_logit_softcapping", 0, 1e6, SCORE_CAP),
            logit_cap=reader.number("final_logit_softcapping", 0, 1e6, LOGIT_CAP),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        reader = cls._config_reader(checkpoint)
        scale = reader.number("query_pre_attn_scalar", 1e-6, 1e12) ** -0.5
        return replace(
            model,
            factors=replace(model.factors, attention=scale),
            score_cap=config_cap(reader, "attn_logit_softcapping"),
            logit_cap=config_cap(reader, "final_logit_softcapping"),
        )

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        name = f"blk.{layer}"
        h = self._attention(plan, self._norm(plan, x, f"{name}.attn_norm"), layer, rope)
        x = self._norm(plan, h, f"{name}.post_attention_norm", residual=x)
        h = self._feed_forward(plan, self._norm(plan, x, f"{name}.ffn_norm"), name)
        return self._norm(plan, h, f"{name}.post_ffw_norm", residual=x)

    def _scores(self, layer: int) -> Scores:
        return replace(super()._scores(layer), softcap=self.score_cap)

    def _logits(self, plan: Plan, h: Value) -> Value:
        x = super()._logits(plan, h)
        return plan.softcap(x, self.logit_cap) if self.logit_cap else x

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        window = reader.integer("sliding_window", 1, 2**24, WINDOW)
        return layer_windows(reader, layers, window=window, pattern=PATTERN)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        window = reader.integer("attention.sliding_window", 1, 2**24, WINDOW)
        return tuple(window if (layer + 1) % PATTERN else None for layer in range(layers))


def config_cap(reader: MetadataReader, key: str) -> float:
    """The cap under this key; 0: none."""
    return reader.number(key, 1e-3, 1e6) if key in reader else 0.0


FAMILY = Gemma2
