"""What decoders that are kin to GPT share: layer norms, and an MLP without a gate.

They differ in where positions come in (learned, rotated, by distance), in whether attention and MLP
see the same rows, and in how a weight holds queries, keys and values together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from foretell.backends.native.alibi import alibi_slopes
from foretell.backends.native.decoder import FUSED_QKV, LayerNormDecoder
from foretell.backends.native.plan import Plan, RopeTable, Scores, Value
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import quote

ACTIVATIONS: Mapping[str, Callable[[Plan, Value], Value]] = {
    "gelu": Plan.gelu_erf,
    "gelu_new": Plan.gelu,
    "gelu_fast": Plan.gelu,
    "gelu_pytorch_tanh": Plan.gelu,
    "relu": Plan.relu,
    "silu": Plan.silu,
}
"""By their names in `config.json`."""

POSITIONS = "position_embd.weight"
EMBEDDING_NORM = "token_embd_norm"


def token_names(embedding: str, norm: str, output: str = "lm_head") -> dict[str, HFName]:
    """What checkpoints call what comes before the first layer and after the last."""
    return {
        "token_embd.weight": HFName(f"{embedding}.weight"),
        "output_norm.weight": HFName(f"{norm}.weight"),
        "output_norm.bias": HFName(f"{norm}.bias"),
        "output.weight": HFName(f"{output}.weight"),
        "output.bias": HFName(f"{output}.bias"),
    }


@dataclass(frozen=True)
class GPT(LayerNormDecoder):
    """The sizes of one model that is kin to GPT, and its computation.

    Attributes:
        ACTIVATIONS: the MLP's activation, if `config.json` does not say it; files never do.
        BIASES: the products that have a bias, though neither a config nor a file says it.
        HIDDEN_KEY: what `config.json` calls the MLP's width; where it has none, 4 times the width.
        KV_HEADS_KEY: and the number of key and value heads; where it has none, as many as queries.
        HAS_POSITIONS: whether rows of a learned matrix are added, by position.
        HAS_EMBEDDING_NORM: whether embeddings are normed.
        ROTATES: whether queries and keys are rotated, where their distance tells of nothing.
        ROUNDS_BIASES: whether what scores lose by distance is scaled, and of bfloat16 each.
        FUSED_ORDER: of queries, keys and values in a group of the rows of their common weight.
        activation: the MLP's, by its name in `config.json`.
        groups: of how many alike the rows of that weight are; files have one.
        is_parallel: whether attention and MLP see the same rows, and are added together.
        attention_norm: the norm before attention.
        mlp_norm: that before the MLP; the same one for both if they are called the same.
        max_bias: of the head whose scores fall most slowly with distance; 0: none falls.
    """

    CONFIG_EPS: ClassVar[str] = "layer_norm_epsilon"
    ACTIVATIONS: ClassVar[tuple[str, ...]] = ("gelu_new",)
    BIASES: ClassVar[tuple[str, ...]] = ()
    HIDDEN_KEY: ClassVar[str] = "n_inner"
    KV_HEADS_KEY: ClassVar[str | None] = None
    HAS_POSITIONS: ClassVar[bool] = False
    HAS_EMBEDDING_NORM: ClassVar[bool] = False
    ROTATES: ClassVar[bool] = False
    ROUNDS_BIASES: ClassVar[bool] = False
    FUSED_ORDER: ClassVar[str] = "qkv"

    activation: str = "gelu_new"
    groups: int = 1
    is_parallel: bool = False
    attention_norm: str = "attn_norm"
    mlp_norm: str = "ffn_norm"
    max_bias: float = 0.0

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        output = ("output",) if "output.bias" in file.tensors else ()
        biases = model.biases | {*output, *cls.BIASES}
        return replace(model, activation=cls.ACTIVATIONS[0], biases=biases)

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = cls._config_reader(checkpoint)
        activation = reader.text("hidden_act", cls.ACTIVATIONS[0])
        return replace(super().from_config(checkpoint), activation=activation)

    def _embed(self, plan: Plan) -> Value:
        x = super()._embed(plan)
        if self.HAS_POSITIONS:
            x = plan.add_positions(x, POSITIONS, context_length=self.shape.context_length)
        return self._norm(plan, x, EMBEDDING_NORM) if self.HAS_EMBEDDING_NORM else x

    def _ropes(self, plan: Plan) -> list[RopeTable | None]:
        rotates = self.ROTATES and not self.max_bias
        return super()._ropes(plan) if rotates else [None] * self.shape.layers

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        name = f"blk.{layer}"
        h = self._norm(plan, x, f"{name}.{self.attention_norm}")
        after = self._attention(plan, h, layer, rope, residual=x)
        if not self.is_parallel:
            h = self._norm(plan, after, f"{name}.{self.mlp_norm}")
        elif self.mlp_norm != self.attention_norm:
            h = self._norm(plan, x, f"{name}.{self.mlp_norm}")
        return self._feed_forward(plan, h, name, residual=after)

    def _scores(self, layer: int) -> Scores:
        slopes = alibi_slopes(self.shape.heads.query, self.max_bias) if self.max_bias else None
        return replace(super()._scores(layer), slopes=slopes, rounds_slopes=self.ROUNDS_BIASES)

    def _queries_keys_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value, Value]:
        if not self.fuses_qkv:
            return super()._queries_keys_values(plan, h, name)
        heads = self.shape.heads
        query, kv = heads.query * heads.dim, heads.kv * heads.dim
        sizes = {"q": query, "k": kv, "v": kv}
        widths = [sizes[one] for one in self.FUSED_ORDER]
        products = self._linears(plan, h, f"{name}.{FUSED_QKV}", widths, self.groups)
        found = dict(zip(self.FUSED_ORDER, products, strict=True))
        return found["q"], found["k"], found["v"]

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        up = self._linear(plan, h, f"{name}.ffn_up", self.hidden)
        return self._add(plan, ACTIVATIONS[self.activation](plan, up), f"{name}.ffn_down", residual)

    def _logits(self, plan: Plan, h: Value) -> Value:
        bias = "output.bias" if "output" in self.biases else None
        return plan.linear(h, self.matrices.output, self.shape.vocab_size, bias=bias)

    @classmethod
    def _config_reader(cls, checkpoint: Checkpoint) -> MetadataReader:
        """Reads a config by the usual names, with the sizes that follow from others."""
        reader = super()._config_reader(checkpoint)
        hidden = reader.values.get(cls.HIDDEN_KEY)
        if hidden is None:
            hidden = 4 * reader.integer("hidden_size", 16, 2**16)
        kv_heads = cls._config_kv_heads(reader.values)
        return reader.with_values(
            {"intermediate_size": hidden, "num_key_value_heads": kv_heads},
            {"intermediate_size": cls.HIDDEN_KEY},
        )

    @classmethod
    def _config_kv_heads(cls, values: Mapping[str, Any]) -> object:
        """How many key and value heads a config tells of; None: as many as of queries."""
        return None if cls.KV_HEADS_KEY is None else values.get(cls.KV_HEADS_KEY)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        found = reader.text("hidden_act", cls.ACTIVATIONS[0])
        if found not in ACTIVATIONS:
            known = ", ".join(sorted(ACTIVATIONS))
            raise reader.unsupported(f"the activation {quote(found)} (known are {known})")

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        return frozenset(cls.BIASES)


def refuse_others(reader: MetadataReader, **usual: bool) -> None:
    """UnsupportedModelError if one of these flags is not as usual."""
    for name, value in usual.items():
        if reader.flag(name, value) != value:
            raise reader.unsupported(f"{name}={str(not value).lower()}")
