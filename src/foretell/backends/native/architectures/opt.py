"""OPT (Zhang et al. 2022, arXiv 2205.01068): learned positions from the third row on, ReLU.

350M norms after attention and MLP, and not at the end; its embeddings are narrower than its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import QKV, hf_names
from foretell.backends.native.gpt import GPT, POSITIONS, refuse_others, token_names
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.backends.native.weights.source import HFName, Part
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

FIRST_POSITION = 2
PROJECT_IN, PROJECT_OUT = "project_in.weight", "project_out.weight"


@dataclass(frozen=True)
class OPT(GPT):
    """The sizes of one OPT model, and its computation.

    Attributes:
        embedding_width: of a token's embedding; projections lead from it and back where it is not
            the width of the rows.
        norms_after: whether norms come after attention and MLP.
        has_last_norm: whether one comes after the last layer.
    """

    ARCHITECTURES: ClassVar = ()
    MODEL_TYPES: ClassVar = ("opt",)
    DEFAULTS: ClassVar = {
        "ffn_dim": 3072,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
    }
    CONFIG_NAMES: ClassVar = {"hidden_act": "activation_function"}
    HIDDEN_KEY: ClassVar = "ffn_dim"
    ACTIVATIONS: ClassVar = ("relu",)
    HF_NAMES: ClassVar = {
        **token_names("model.decoder.embed_tokens", "model.decoder.final_layer_norm"),
        POSITIONS: HFName("model.decoder.embed_positions.weight"),
        PROJECT_IN: HFName(f"model.decoder.{PROJECT_IN}"),
        PROJECT_OUT: HFName(f"model.decoder.{PROJECT_OUT}"),
        **hf_names(
            "model.decoder.layers.{}",
            attn_norm="self_attn_layer_norm",
            attn_q="self_attn.q_proj",
            attn_k="self_attn.k_proj",
            attn_v="self_attn.v_proj",
            attn_output="self_attn.out_proj",
            ffn_norm="final_layer_norm",
            ffn_up="fc1",
            ffn_down="fc2",
        ),
    }

    embedding_width: int = 0
    norms_after: bool = False
    has_last_norm: bool = True

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = cls._config_reader(checkpoint)
        model = super().from_config(checkpoint)
        norms_after = not reader.flag("do_layer_norm_before", True)
        removes_last = reader.flag("_remove_final_layer_norm", False)
        return replace(
            model,
            embedding_width=reader.integer("word_embed_proj_dim", 16, 2**16, model.width),
            norms_after=norms_after,
            has_last_norm=not norms_after and not removes_last,
        )

    def _embed(self, plan: Plan) -> Value:
        width, context = self.embedding_width, self.shape.context_length
        x = plan.embed(self.matrices.embedding, vocab_size=self.shape.vocab_size, width=width)
        if width != self.width:
            x = plan.linear(x, PROJECT_IN, self.width)
        part = Part(FIRST_POSITION, FIRST_POSITION + context)
        return plan.add_positions(x, POSITIONS, context_length=context, part=part)

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        if not self.norms_after:
            return super()._block(plan, x, layer, rope)
        name = f"blk.{layer}"
        x = self._norm(plan, self._attention(plan, x, layer, rope, residual=x), f"{name}.attn_norm")
        return self._norm(plan, self._feed_forward(plan, x, name, residual=x), f"{name}.ffn_norm")

    def _norm(self, plan: Plan, x: Value, name: str, residual: Value | None = None) -> Value:
        if name == "output_norm" and not self.has_last_norm:
            return x
        return super()._norm(plan, x, name, residual)

    def _logits(self, plan: Plan, h: Value) -> Value:
        if self.embedding_width != self.width:
            h = plan.linear(h, PROJECT_OUT, self.embedding_width)
        return super()._logits(plan, h)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        refuse_others(reader, layer_norm_elementwise_affine=True)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        has_biases = reader.flag("enable_bias", True)
        return frozenset((*QKV, "attn_output", "ffn_up", "ffn_down") if has_biases else ())


FAMILY = OPT
