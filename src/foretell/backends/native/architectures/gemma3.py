"""Gemma 3, its text part (Gemma Team 2025, arXiv 2503.19786).

Norms before and after attention and MLP, norms of each query and key, layers that see a window
between layers that see all, each kind with rotary frequencies of its own, an MLP gated by GELU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native.model import ModelShape, TokenMatrices, check_heads, layer_windows
from foretell.backends.native.plan import Heads, Plan, RopeTable, Value
from foretell.backends.native.rope import (
    file_frequencies,
    file_score_factor,
    kind_frequencies,
    plain_frequencies,
)
from foretell.backends.native.weights.source import GGUFWeights, HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape

PATTERN = 6  # every sixth layer sees all
LOCAL_BASE, GLOBAL_BASE = 10_000.0, 1_000_000.0
LAYERS_OF_27B = 62


def _norm_name(name: str) -> HFName:
    """Checkpoints keep a norm's weights less 1."""
    return HFName(name, plus=1.0)


@dataclass(frozen=True)
class Gemma3:
    """The sizes of one Gemma 3 model, and its computation.

    Attributes:
        scale: of the attention's scores.
        windows: how many positions each layer sees; None: all.
    """

    ARCHITECTURES: ClassVar = ("gemma3",)
    MODEL_TYPES: ClassVar = ("gemma3_text",)
    HF_NAMES: ClassVar[dict[str, HFName]] = {
        "token_embd.weight": HFName("model.embed_tokens.weight"),
        "blk.{}.attn_norm.weight": _norm_name("model.layers.{}.input_layernorm.weight"),
        "blk.{}.attn_q.weight": HFName("model.layers.{}.self_attn.q_proj.weight"),
        "blk.{}.attn_k.weight": HFName("model.layers.{}.self_attn.k_proj.weight"),
        "blk.{}.attn_v.weight": HFName("model.layers.{}.self_attn.v_proj.weight"),
        "blk.{}.attn_q_norm.weight": _norm_name("model.layers.{}.self_attn.q_norm.weight"),
        "blk.{}.attn_k_norm.weight": _norm_name("model.layers.{}.self_attn.k_norm.weight"),
        "blk.{}.attn_output.weight": HFName("model.layers.{}.self_attn.o_proj.weight"),
        "blk.{}.post_attention_norm.weight": _norm_name(
            "model.layers.{}.post_attention_layernorm.weight"
        ),
        "blk.{}.ffn_norm.weight": _norm_name("model.layers.{}.pre_feedforward_layernorm.weight"),
        "blk.{}.ffn_gate.weight": HFName("model.layers.{}.mlp.gate_proj.weight"),
        "blk.{}.ffn_up.weight": HFName("model.layers.{}.mlp.up_proj.weight"),
        "blk.{}.ffn_down.weight": HFName("model.layers.{}.mlp.down_proj.weight"),
        "blk.{}.post_ffw_norm.weight": _norm_name(
            "model.layers.{}.post_feedforward_layernorm.weight"
        ),
        "output_norm.weight": _norm_name("model.norm.weight"),
        "output.weight": HFName("lm_head.weight"),
    }

    shape: ModelShape
    width: int
    hidden: int
    eps: float
    scale: float
    windows: tuple[int | None, ...]
    local_frequencies: NDArray[np.float32]
    global_frequencies: NDArray[np.float32]
    matrices: TokenMatrices

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        width = reader.integer("embedding_length", 16, 2**16)
        layers = reader.integer("block_count", 1, 1024)
        heads = _file_heads(reader)
        window = reader.integer("attention.sliding_window", 1, 2**24)
        pattern = reader.integer("attention.sliding_window_pattern", 1, 1024, PATTERN)
        local_base = reader.number("rope.freq_base_swa", 1, 1e12, LOCAL_BASE)
        frequencies = file_frequencies(file, reader, heads.dim)
        scaled = width // heads.query if layers == LAYERS_OF_27B else heads.dim
        return cls(
            shape=ModelShape(
                layers=layers,
                heads=heads,
                vocab_size=GGUFWeights(file).rows("token_embd.weight"),
                context_length=reader.integer("context_length", 1, 2**24),
            ),
            width=width,
            hidden=reader.integer("feed_forward_length", 1, 2**20),
            eps=reader.number("attention.layer_norm_rms_epsilon", 0, 1),
            scale=reader.number("attention.scale", 1e-6, 1e6, scaled**-0.5)
            * file_score_factor(reader, heads.dim),
            windows=tuple(window if (i + 1) % pattern else None for i in range(layers)),
            local_frequencies=plain_frequencies(local_base, 2 * len(frequencies)),
            global_frequencies=frequencies,
            matrices=TokenMatrices.of_gguf(file),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = MetadataReader.of_config(
            checkpoint.config, f"{escape(checkpoint.path)}/config.json"
        )
        _check_config(reader)
        layers = reader.integer("num_hidden_layers", 1, 1024)
        query_heads = reader.integer("num_attention_heads", 1, 2**12, 8)
        kv_heads = reader.integer("num_key_value_heads", 1, query_heads, 4)
        dim = reader.integer("head_dim", 1, 2**16, 256)
        scalar = reader.number("query_pre_attn_scalar", 1e-6, 1e12, 256)
        return cls(
            shape=ModelShape(
                layers=layers,
                heads=check_heads(reader, Heads(query_heads, kv_heads, dim)),
                vocab_size=reader.integer("vocab_size", 1, 2**24, 262_208),
                context_length=reader.integer("max_position_embeddings", 1, 2**24, 131_072),
            ),
            width=reader.integer("hidden_size", 16, 2**16),
            hidden=reader.integer("intermediate_size", 1, 2**20),
            eps=reader.number("rms_norm_eps", 0, 1, 1e-6),
            scale=scalar**-0.5,
            windows=layer_windows(
                reader,
                layers,
                window=reader.integer("sliding_window", 1, 2**24, 4096),
                pattern=reader.integer("sliding_window_pattern", 1, 1024, PATTERN),
            ),
            local_frequencies=kind_frequencies(
                reader, dim, "sliding_attention", base="rope_local_base_freq", usual=LOCAL_BASE
            ),
            global_frequencies=kind_frequencies(
                reader, dim, "full_attention", base="rope_theta", usual=GLOBAL_BASE
            ),
            matrices=TokenMatrices.of_checkpoint(
                checkpoint, cls.HF_NAMES, tied=reader.flag("tie_word_embeddings", True)
            ),
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        vocab_size, width = self.shape.vocab_size, self.width
        x = plan.embed(
            self.matrices.embedding, vocab_size=vocab_size, width=width, factor=width**0.5
        )
        near = plan.rope_table(self.local_frequencies, interleaved=False)
        far = plan.rope_table(self.global_frequencies, interleaved=False)
        for layer, window in enumerate(self.windows):
            x = self._attention(plan, x, layer, far if window is None else near)
            x = self._mlp(plan, x, f"blk.{layer}")
        x = plan.rms_norm(plan.gather_rows(x), "output_norm.weight", self.eps)
        plan.linear(x, self.matrices.output, vocab_size)
        return plan

    def _attention(self, plan: Plan, x: Value, layer: int, rope: RopeTable) -> Value:
        name, heads, eps = f"blk.{layer}", self.shape.heads, self.eps
        h = plan.rms_norm(x, f"{name}.attn_norm.weight", eps)
        q = plan.linear(h, f"{name}.attn_q.weight", heads.query * heads.dim)
        k = plan.linear(h, f"{name}.attn_k.weight", heads.kv * heads.dim)
        v = plan.linear(h, f"{name}.attn_v.weight", heads.kv * heads.dim)
        q = plan.rms_norm(q, f"{name}.attn_q_norm.weight", eps, heads=heads.query)
        k = plan.rms_norm(k, f"{name}.attn_k_norm.weight", eps, heads=heads.kv)
        a = plan.attention(
            q,
            k,
            v,
            heads,
            layer=layer,
            rope=rope,
            scale=self.scale,
            window=self.windows[layer],
        )
        h = plan.linear(a, f"{name}.attn_output.weight", self.width)
        return plan.rms_norm(h, f"{name}.post_attention_norm.weight", eps, residual=x)

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = plan.rms_norm(x, f"{name}.ffn_norm.weight", self.eps)
        gate = plan.linear(h, f"{name}.ffn_gate.weight", self.hidden)
        up = plan.linear(h, f"{name}.ffn_up.weight", self.hidden)
        h = plan.linear(plan.gelu(gate, up), f"{name}.ffn_down.weight", self.width)
        return plan.rms_norm(h, f"{name}.post_ffw_norm.weight", self.eps, residual=x)


def _file_heads(reader: MetadataReader) -> Heads:
    query_heads = reader.integer("attention.head_count", 1, 2**12)
    kv_heads = reader.integer("attention.head_count_kv", 1, query_heads, query_heads)
    dim = reader.integer("attention.key_length", 1, 2**16)
    if reader.integer("attention.value_length", 1, 2**16, dim) != dim:
        raise reader.unsupported("a value head longer or shorter than a key head")
    return check_heads(reader, Heads(query_heads, kv_heads, dim))


def _check_config(reader: MetadataReader) -> None:
    for name in ("attention_bias", "use_bidirectional_attention"):
        if reader.flag(name, False):
            raise reader.unsupported(f"{name}=true")
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        if name in reader:
            raise reader.unsupported(name)
    if reader.text("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise reader.unsupported("a hidden_activation other than gelu_pytorch_tanh")


FAMILY = Gemma3
