"""Llama (Touvron et al. 2023, arXiv 2302.13971), which SmolLM2 is too.

norm, attention, residual, norm, gated MLP, residual; the output shares the embedding's matrix
where the file has none of its own. Families that differ by little inherit from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.model import ModelShape, TokenMatrices, check_heads, layer_windows
from foretell.backends.native.plan import Heads, Plan, Value
from foretell.backends.native.rope import config_frequencies, file_frequencies, file_score_factor
from foretell.backends.native.weights.source import GGUFWeights, HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape


@dataclass(frozen=True)
class Llama:
    """The sizes of one Llama model, and its computation.

    Attributes:
        HAS_BIASES: whether queries, keys and values have.
        HAS_HEAD_NORMS: whether each query and key is normed.
        IS_INTERLEAVED: whether GGUF files keep the rows of queries and keys in another order than
            checkpoints, so that the values of a pair are neighbours.
        windows: how many positions each layer sees; None: all.
        interleaved: which values of a head are rotated together: neighbours, or halves apart.
        score_factor: of the attention's scores, beside 1 / sqrt(dim).
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("llama",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("llama",)
    HAS_BIASES: ClassVar[bool] = False
    HAS_HEAD_NORMS: ClassVar[bool] = False
    IS_INTERLEAVED: ClassVar[bool] = True

    HF_NAMES: ClassVar[dict[str, HFName]] = {
        "token_embd.weight": HFName("model.embed_tokens.weight"),
        "blk.{}.attn_norm.weight": HFName("model.layers.{}.input_layernorm.weight"),
        "blk.{}.attn_q.weight": HFName("model.layers.{}.self_attn.q_proj.weight"),
        "blk.{}.attn_k.weight": HFName("model.layers.{}.self_attn.k_proj.weight"),
        "blk.{}.attn_v.weight": HFName("model.layers.{}.self_attn.v_proj.weight"),
        "blk.{}.attn_q.bias": HFName("model.layers.{}.self_attn.q_proj.bias"),
        "blk.{}.attn_k.bias": HFName("model.layers.{}.self_attn.k_proj.bias"),
        "blk.{}.attn_v.bias": HFName("model.layers.{}.self_attn.v_proj.bias"),
        "blk.{}.attn_q_norm.weight": HFName("model.layers.{}.self_attn.q_norm.weight"),
        "blk.{}.attn_k_norm.weight": HFName("model.layers.{}.self_attn.k_norm.weight"),
        "blk.{}.attn_output.weight": HFName("model.layers.{}.self_attn.o_proj.weight"),
        "blk.{}.ffn_norm.weight": HFName("model.layers.{}.post_attention_layernorm.weight"),
        "blk.{}.ffn_gate.weight": HFName("model.layers.{}.mlp.gate_proj.weight"),
        "blk.{}.ffn_up.weight": HFName("model.layers.{}.mlp.up_proj.weight"),
        "blk.{}.ffn_down.weight": HFName("model.layers.{}.mlp.down_proj.weight"),
        "output_norm.weight": HFName("model.norm.weight"),
        "output.weight": HFName("lm_head.weight"),
    }

    shape: ModelShape
    width: int
    hidden: int
    eps: float
    frequencies: NDArray[np.float32]
    matrices: TokenMatrices
    windows: tuple[int | None, ...]
    interleaved: bool = False
    score_factor: float = 1.0

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        if "expert_count" in reader and reader.integer("expert_count", 0, 2**16) > 0:
            raise reader.unsupported("a mixture of experts")
        width = reader.integer("embedding_length", 16, 2**16)
        query_heads = reader.integer("attention.head_count", 1, 2**12)
        kv_heads = reader.integer("attention.head_count_kv", 1, query_heads, query_heads)
        dim = width // query_heads
        if "attention.key_length" in reader:
            dim = reader.integer("attention.key_length", 16, 1024)
        if reader.integer("attention.value_length", 1, 2**16, dim) != dim:
            raise reader.unsupported("a value head longer or shorter than a key head")
        layers = reader.integer("block_count", 1, 1024)
        return cls(
            shape=ModelShape(
                layers=layers,
                heads=check_heads(reader, Heads(query_heads, kv_heads, dim)),
                vocab_size=GGUFWeights(file).rows("token_embd.weight"),
                context_length=reader.integer("context_length", 1, 2**24),
            ),
            width=width,
            hidden=reader.integer("feed_forward_length", 1, 2**20),
            eps=reader.number("attention.layer_norm_rms_epsilon", 0, 1),
            frequencies=file_frequencies(file, reader, dim),
            matrices=TokenMatrices.of_gguf(file),
            windows=(None,) * layers,
            interleaved=cls.IS_INTERLEAVED,
            score_factor=file_score_factor(reader, dim),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = MetadataReader.of_config(
            checkpoint.config, f"{escape(checkpoint.path)}/config.json"
        )
        for name in ("attention_bias", "mlp_bias"):
            if reader.flag(name, False):
                raise reader.unsupported(f"{name}=true")
        if reader.text("hidden_act", "silu") != "silu":
            raise reader.unsupported("an activation other than silu")
        width = reader.integer("hidden_size", 16, 2**16)
        query_heads = reader.integer("num_attention_heads", 1, 2**12)
        kv_heads = reader.integer("num_key_value_heads", 1, query_heads, query_heads)
        dim = reader.integer("head_dim", 1, 2**16, width // query_heads)
        layers = reader.integer("num_hidden_layers", 1, 1024)
        return cls(
            shape=ModelShape(
                layers=layers,
                heads=check_heads(reader, Heads(query_heads, kv_heads, dim)),
                vocab_size=reader.integer("vocab_size", 1, 2**24),
                context_length=reader.integer("max_position_embeddings", 1, 2**24),
            ),
            width=width,
            hidden=reader.integer("intermediate_size", 1, 2**20),
            eps=reader.number("rms_norm_eps", 0, 1, 1e-6),
            frequencies=config_frequencies(reader, dim),
            matrices=TokenMatrices.of_checkpoint(
                checkpoint, cls.HF_NAMES, tied=reader.flag("tie_word_embeddings", False)
            ),
            windows=cls._windows(checkpoint, reader, layers),
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = plan.embed(self.matrices.embedding, vocab_size=self.shape.vocab_size, width=self.width)
        rope = plan.rope_table(self.frequencies, interleaved=self.interleaved)
        heads = self.shape.heads
        for layer in range(self.shape.layers):
            name = f"blk.{layer}"
            h = plan.rms_norm(x, f"{name}.attn_norm.weight", self.eps)
            q = self._project(plan, h, f"{name}.attn_q", heads.query)
            k = self._project(plan, h, f"{name}.attn_k", heads.kv)
            v = self._project(plan, h, f"{name}.attn_v", heads.kv)
            if self.HAS_HEAD_NORMS:
                q = plan.rms_norm(q, f"{name}.attn_q_norm.weight", self.eps, heads=heads.query)
                k = plan.rms_norm(k, f"{name}.attn_k_norm.weight", self.eps, heads=heads.kv)
            a = plan.attention(
                q,
                k,
                v,
                heads,
                layer=layer,
                rope=rope if self.rotates(layer) else None,
                scale=heads.dim**-0.5 * (self.score_factor if self.rotates(layer) else 1),
                window=self.windows[layer],
            )
            x = plan.linear(a, f"{name}.attn_output.weight", self.width, residual=x)
            x = self._mlp(plan, x, name)
        x = plan.rms_norm(plan.gather_rows(x), "output_norm.weight", self.eps)
        plan.linear(x, self.matrices.output, self.shape.vocab_size)
        return plan

    def rotates(self, layer: int) -> bool:
        """Whether this layer's queries and keys are rotated."""
        return True

    def _project(self, plan: Plan, h: Value, name: str, heads: int) -> Value:
        bias = f"{name}.bias" if self.HAS_BIASES else None
        return plan.linear(h, f"{name}.weight", heads * self.shape.heads.dim, bias=bias)

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = plan.rms_norm(x, f"{name}.ffn_norm.weight", self.eps)
        gate = plan.linear(h, f"{name}.ffn_gate.weight", self.hidden)
        up = plan.linear(h, f"{name}.ffn_up.weight", self.hidden)
        h = plan.silu_mul(gate, up)
        return plan.linear(h, f"{name}.ffn_down.weight", self.width, residual=x)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        """How many positions each layer of a checkpoint sees; None: all."""
        if not reader.flag("use_sliding_window", False):
            return (None,) * layers
        if "layer_types" not in reader:
            raise reader.unsupported("use_sliding_window=true without layer_types")
        window = reader.integer("sliding_window", 1, 2**24)
        return layer_windows(reader, layers, window=window, pattern=1)


FAMILY = Llama
