"""GPT-2 (Radford et al. 2019).

Learned positions, layer norms with biases, queries, keys and values in one weight, an MLP with
GELU; the output shares the embedding's matrix where the file has none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from foretell.backends.native.model import ModelShape, TokenMatrices, check_heads
from foretell.backends.native.plan import Heads, Plan, Value
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape

TANH_GELUS = ("gelu_new", "gelu_pytorch_tanh")
OTHER_NAMES = {
    "hidden_size": "n_embd",
    "max_position_embeddings": "n_positions",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}
"""What newer families call a config's sizes: in transformers these win where a file has both."""


@dataclass(frozen=True)
class GPT2:
    """The sizes of one GPT-2 model, and its computation."""

    ARCHITECTURES: ClassVar = ("gpt2",)
    MODEL_TYPES: ClassVar = ("gpt2",)
    HF_NAMES: ClassVar[dict[str, HFName]] = {
        "token_embd.weight": HFName("transformer.wte.weight"),
        "position_embd.weight": HFName("transformer.wpe.weight"),
        "blk.{}.attn_norm.weight": HFName("transformer.h.{}.ln_1.weight"),
        "blk.{}.attn_norm.bias": HFName("transformer.h.{}.ln_1.bias"),
        "blk.{}.attn_qkv.weight": HFName("transformer.h.{}.attn.c_attn.weight", transposed=True),
        "blk.{}.attn_qkv.bias": HFName("transformer.h.{}.attn.c_attn.bias"),
        "blk.{}.attn_output.weight": HFName("transformer.h.{}.attn.c_proj.weight", transposed=True),
        "blk.{}.attn_output.bias": HFName("transformer.h.{}.attn.c_proj.bias"),
        "blk.{}.ffn_norm.weight": HFName("transformer.h.{}.ln_2.weight"),
        "blk.{}.ffn_norm.bias": HFName("transformer.h.{}.ln_2.bias"),
        "blk.{}.ffn_up.weight": HFName("transformer.h.{}.mlp.c_fc.weight", transposed=True),
        "blk.{}.ffn_up.bias": HFName("transformer.h.{}.mlp.c_fc.bias"),
        "blk.{}.ffn_down.weight": HFName("transformer.h.{}.mlp.c_proj.weight", transposed=True),
        "blk.{}.ffn_down.bias": HFName("transformer.h.{}.mlp.c_proj.bias"),
        "output_norm.weight": HFName("transformer.ln_f.weight"),
        "output_norm.bias": HFName("transformer.ln_f.bias"),
        "output.weight": HFName("lm_head.weight"),
    }

    shape: ModelShape
    width: int
    hidden: int
    eps: float
    matrices: TokenMatrices

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        width = reader.integer("embedding_length", 16, 2**16)
        return cls(
            shape=ModelShape(
                layers=reader.integer("block_count", 1, 1024),
                heads=_heads(reader, width, reader.integer("attention.head_count", 1, 2**12)),
                vocab_size=GGUFWeights(file).rows("token_embd.weight"),
                context_length=reader.integer("context_length", 1, 2**24),
            ),
            width=width,
            hidden=reader.integer("feed_forward_length", 1, 2**20),
            eps=reader.number("attention.layer_norm_epsilon", 0, 1),
            matrices=TokenMatrices.of_gguf(file),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        config = checkpoint.config
        names = {own: name for name, own in OTHER_NAMES.items() if name in config}
        values = {**config, **{own: config[name] for own, name in names.items()}}
        source = f"{escape(checkpoint.path)}/config.json"
        reader = MetadataReader.of_config(values, source, names)
        if reader.text("activation_function", "gelu_new") not in TANH_GELUS:
            raise reader.unsupported("an activation_function other than gelu_new")
        for name, usual in (
            ("scale_attn_weights", True),
            ("scale_attn_by_inverse_layer_idx", False),
            ("add_cross_attention", False),
        ):
            if reader.flag(name, usual) != usual:
                raise reader.unsupported(f"{name}={str(not usual).lower()}")
        width = reader.integer("n_embd", 16, 2**16)
        return cls(
            shape=ModelShape(
                layers=reader.integer("n_layer", 1, 1024),
                heads=_heads(reader, width, reader.integer("n_head", 1, 2**12)),
                vocab_size=reader.integer("vocab_size", 1, 2**24),
                context_length=reader.integer("n_positions", 1, 2**24),
            ),
            width=width,
            hidden=reader.integer("n_inner", 1, 2**20, 4 * width),
            eps=reader.number("layer_norm_epsilon", 0, 1, 1e-5),
            matrices=TokenMatrices.of_checkpoint(
                checkpoint, cls.HF_NAMES, tied=reader.flag("tie_word_embeddings", True)
            ),
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        shape = self.shape
        x = plan.embed(self.matrices.embedding, vocab_size=shape.vocab_size, width=self.width)
        x = plan.add_positions(x, "position_embd.weight", context_length=shape.context_length)
        for layer in range(shape.layers):
            x = self._attention(plan, x, layer)
            x = self._mlp(plan, x, f"blk.{layer}")
        x = self._norm(plan, plan.gather_rows(x), "output_norm")
        plan.linear(x, self.matrices.output, shape.vocab_size)
        return plan

    def _attention(self, plan: Plan, x: Value, layer: int) -> Value:
        name, width = f"blk.{layer}", self.width
        h = self._norm(plan, x, f"{name}.attn_norm")
        qkv = f"{name}.attn_qkv"
        q, k, v = plan.linears(h, f"{qkv}.weight", (width, width, width), bias=f"{qkv}.bias")
        a = plan.attention(q, k, v, self.shape.heads, layer=layer)
        return self._linear(plan, a, f"{name}.attn_output", width, residual=x)

    def _mlp(self, plan: Plan, x: Value, name: str) -> Value:
        h = self._norm(plan, x, f"{name}.ffn_norm")
        h = plan.gelu(self._linear(plan, h, f"{name}.ffn_up", self.hidden))
        return self._linear(plan, h, f"{name}.ffn_down", self.width, residual=x)

    def _norm(self, plan: Plan, x: Value, name: str) -> Value:
        return plan.layer_norm(x, f"{name}.weight", f"{name}.bias", self.eps)

    def _linear(
        self, plan: Plan, x: Value, name: str, width: int, *, residual: Value | None = None
    ) -> Value:
        return plan.linear(x, f"{name}.weight", width, bias=f"{name}.bias", residual=residual)


def _heads(reader: MetadataReader, width: int, count: int) -> Heads:
    if width % count:
        raise reader.wrong(f"{width} values cannot be {count} heads")
    return check_heads(reader, Heads(count, count, width // count))


FAMILY = GPT2
