"""Gemma 4, its text part (Google DeepMind 2026): Gemma 3 with longer heads in layers that see all.

These layers may take their keys for values.
The last layers see the keys and values of the last one of their kind before them. Each token may
bring a vector to each layer; some models add a mixture of experts to the MLP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from foretell.backends.native._core import Routing, Scoring
from foretell.backends.native.architectures.gemma import Gemma
from foretell.backends.native.architectures.gemma2 import LOGIT_CAP, Gemma2, config_cap
from foretell.backends.native.architectures.gemma3 import Gemma3
from foretell.backends.native.gemma4_layers import (
    HALVES,
    HF_NAMES,
    Gemma4Layer,
    by_layers,
    config_layers,
    file_layers,
)
from foretell.backends.native.mixtures import MAX_EXPERTS, Mixture
from foretell.backends.native.model import file_windows, text_config
from foretell.backends.native.plan import Plan, RopeTable, Value
from foretell.backends.native.rope import ROPE_DIVISORS, kind_rope
from foretell.backends.native.rope_scalings import Rope, plain_frequencies
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.backends.native.weights.source import Part
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import quote

LOCAL_BASE, GLOBAL_BASE = 10_000.0, 1_000_000.0
MAX_LAYER_WIDTH = 2**16
SUPPRESSED = "tokenizer.ggml.suppress_tokens"
HALF = 2.0**-0.5
USUAL_ROPES = {
    "sliding_attention": {"rope_type": "default", "rope_theta": LOCAL_BASE},
    "full_attention": {
        "rope_type": "proportional",
        "partial_rotary_factor": 0.25,
        "rope_theta": GLOBAL_BASE,
    },
}


@dataclass(frozen=True)
class Gemma4(Gemma3):
    """The sizes of one Gemma 4 model, and its computation.

    Attributes:
        parts: what differs from layer to layer.
        layer_width: of the vectors that a token brings to each layer; 0: it brings none.
        mixture: the experts beside each MLP; None: there are none.
        is_scaled: whether a layer's result is multiplied by a number of its own.
        fuses_experts: whether a file keeps the experts' gates and values in one tensor.
    """

    ARCHITECTURES: ClassVar = ("gemma4",)
    MODEL_TYPES: ClassVar = ("gemma4", "gemma4_text")
    DEFAULTS: ClassVar = {
        **Gemma3.DEFAULTS,
        "vocab_size": 262_144,
        "vocab_size_per_layer_input": 262_144,
        "hidden_size_per_layer_input": 256,
        "sliding_window": 512,
    }
    HF_NAMES: ClassVar = HF_NAMES

    parts: tuple[Gemma4Layer, ...] = ()
    layer_width: int = 0
    mixture: Mixture | None = None
    is_scaled: bool = True
    fuses_experts: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super(Gemma2, cls).from_gguf(file, reader)
        parts = file_layers(file, reader, model.shape.heads, model.windows)
        if None in model.windows:
            GGUFWeights(file).rows(ROPE_DIVISORS)  # or say that the file lacks them
        near = _near_dim(parts, model.windows, model.shape.heads.dim)
        rotated = reader.integer("rope.dimension_count_swa", 2, near, near)
        base = reader.number("rope.freq_base_swa", 1, 1e12, LOCAL_BASE)
        return replace(
            model,
            parts=parts,
            factors=replace(model.factors, attention=1.0),
            near=Rope(plain_frequencies(base, rotated)),
            logit_cap=reader.number("final_logit_softcapping", 0, 1e6, LOGIT_CAP),
            layer_width=reader.integer("embedding_length_per_layer_input", 0, MAX_LAYER_WIDTH, 0),
            mixture=_mixture(
                reader, "expert_count", "expert_used_count", "expert_feed_forward_length"
            ),
            is_scaled="blk.0.layer_output_scale.weight" in file.tensors,
            fuses_experts=f"blk.0.{HALVES}.weight" in file.tensors,
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super(Gemma2, cls).from_config(checkpoint)
        reader = cls._config_reader(checkpoint)
        parts = config_layers(reader, model.shape.heads, model.windows, model.hidden)
        far = parts[-1].heads.dim  # the last layer sees all
        near = _near_dim(parts, model.windows, far)
        has_experts = reader.flag("enable_moe_block", False)
        keys = ("num_experts", "top_k_experts", "moe_intermediate_size")
        return replace(
            model,
            parts=parts,
            factors=replace(model.factors, attention=1.0),
            near=kind_rope(reader, near, "sliding_attention", base=LOCAL_BASE),
            rope=kind_rope(reader, far, "full_attention", base=GLOBAL_BASE),
            logit_cap=config_cap(reader, "final_logit_softcapping"),
            layer_width=reader.integer("hidden_size_per_layer_input", 0, MAX_LAYER_WIDTH, 0),
            mixture=_mixture(reader, *keys) if has_experts else None,
        )

    def define(self) -> Plan:
        """The model's computation, from token ids to logits."""
        plan = Plan()
        x = self._embed(plan)
        more = self._layer_inputs(plan, x) if self.layer_width else None
        for layer, rope in enumerate(self._ropes(plan)):
            x = self._block(plan, x, layer, rope)
            if more is not None:
                x = self._take_up(plan, x, more, layer)
            if self.is_scaled:
                x = plan.scale(x, by=f"blk.{layer}.layer_output_scale.weight")
        self._logits(plan, self._norm(plan, plan.gather_rows(x), "output_norm"))
        for layer, part in enumerate(self.parts):
            if part.source is not None:  # converters keep what the layer does not use
                plan.spare |= {
                    f"blk.{layer}.{name}.weight" for name in ("attn_k", "attn_v", "attn_k_norm")
                }
        return plan

    def _layer_inputs(self, plan: Plan, x: Value) -> Value:
        """What a token brings to each layer, end to end: of its own, and of its embedding."""
        layers, width = self.shape.layers, self.layer_width
        size, vocab_size = layers * width, self.shape.vocab_size
        own = plan.embed(
            "per_layer_token_embd.weight", vocab_size=vocab_size, width=size, factor=width**0.5
        )
        projected = plan.scale(
            plan.linear(x, "per_layer_model_proj.weight", size), self.width**-0.5
        )
        normed = plan.rms_norm(
            projected, "per_layer_proj_norm.weight", self.eps, heads=layers, residual=own
        )
        return plan.keep_beside(plan.scale(normed, HALF))

    def _take_up(self, plan: Plan, x: Value, more: Value, layer: int) -> Value:
        """x + the layer's vector of `more`, gated by x."""
        name, width = f"blk.{layer}", self.layer_width
        places = np.arange(layer * width, (layer + 1) * width, dtype=np.float32)
        gate = plan.linear(x, f"{name}.inp_gate.weight", width)
        h = plan.linear(
            plan.gelu(gate, plan.permute(more, places)), f"{name}.proj.weight", self.width
        )
        return self._norm(plan, h, f"{name}.post_norm", residual=x)

    def _block(self, plan: Plan, x: Value, layer: int, rope: RopeTable | None) -> Value:
        name = f"blk.{layer}"
        h = self._attention(plan, self._norm(plan, x, f"{name}.attn_norm"), layer, rope)
        x = self._norm(plan, h, f"{name}.post_attention_norm", residual=x)
        h = self._feed_forward(plan, self._norm(plan, x, f"{name}.ffn_norm"), name)
        if self.mixture is not None:
            h = self._norm(plan, h, f"{name}.post_ffw_norm_1")
            mixed = self._experts(plan, x, name, self.mixture)
            h = self._norm(plan, mixed, f"{name}.post_ffw_norm_2", residual=h)
        return self._norm(plan, h, f"{name}.post_ffw_norm", residual=x)

    def _attention(
        self,
        plan: Plan,
        h: Value,
        layer: int,
        rope: RopeTable | None,
        residual: Value | None = None,
    ) -> Value:
        name, part, eps = f"blk.{layer}", self.parts[layer], self.eps
        heads, k, v = part.heads, None, None
        q = self._linear(plan, h, f"{name}.attn_q", heads.query * heads.dim)
        q = plan.rms_norm(q, f"{name}.attn_q_norm.weight", eps, heads=heads.query)
        if part.source is None:
            width = heads.kv * heads.dim
            product = self._linear(plan, h, f"{name}.attn_k", width)
            own = product if part.has_no_values else self._linear(plan, h, f"{name}.attn_v", width)
            k = plan.rms_norm(product, f"{name}.attn_k_norm.weight", eps, heads=heads.kv)
            v = plan.rms_norm(own, None, eps, heads=heads.kv)
        source = layer if part.source is None else part.source
        a = plan.attention(q, k, v, heads, layer=source, rope=rope, scores=self._scores(layer))
        return self._add(plan, a, f"{name}.attn_output", residual)

    def _gates_and_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value]:
        hidden = self.parts[int(name.removeprefix("blk."))].hidden
        return (
            self._linear(plan, h, f"{name}.ffn_gate", hidden),
            self._linear(plan, h, f"{name}.ffn_up", hidden),
        )

    def _experts(self, plan: Plan, x: Value, name: str, mixture: Mixture) -> Value:
        """What the experts that each token chooses make of the rows x, which are not normed yet."""
        routing, hidden = mixture.routing, mixture.hidden
        h = plan.rms_norm(x, f"{name}.ffn_gate_inp.scale", self.eps)
        h = plan.scale(h, self.width**-0.5)
        logits = plan.linear(h, f"{name}.ffn_gate_inp.weight", routing.experts)
        plan.route(logits, routing, factors=f"{name}.ffn_down_exps.scale")
        rows = plan.dispatch(self._norm(plan, x, f"{name}.pre_ffw_norm_2"), routing)
        if self.fuses_experts:
            gates, values = (
                plan.experts(
                    rows, routing, f"{name}.{HALVES}.weight", hidden, part=Part(begin, 2 * hidden)
                )
                for begin in (0, hidden)
            )
        else:
            gates = plan.experts(rows, routing, f"{name}.ffn_gate_exps.weight", hidden)
            values = plan.experts(rows, routing, f"{name}.ffn_up_exps.weight", hidden)
        rows = plan.gelu(gates, values)
        return plan.combine(rows, routing, f"{name}.ffn_down_exps.weight", self.width)

    @classmethod
    def _stated(cls, checkpoint: Checkpoint) -> Mapping[str, Any]:
        text = text_config(checkpoint)
        return {**text, "rope_parameters": text.get("rope_parameters") or USUAL_ROPES}

    @classmethod
    def _check_file(cls, reader: MetadataReader) -> None:
        """Experts are computed; what llama.cpp never lets a model write is not left out."""
        if SUPPRESSED in reader.beyond:
            raise reader.unsupported(f"metadata {SUPPRESSED!r}")

    @classmethod
    def _file_hidden(cls, reader: MetadataReader) -> int:
        """That of the last layer: each has its own."""
        layers = reader.integer("block_count", 1, 1024)
        return by_layers(reader, "feed_forward_length", layers, 2**20)[-1]

    @classmethod
    def _file_kv_heads(cls, reader: MetadataReader, query: int) -> int:
        """Those of the last layer, which sees all."""
        layers = reader.integer("block_count", 1, 1024)
        return by_layers(reader, "attention.head_count_kv", layers, query)[-1]

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        """The last layer sees all, whatever is said of it."""
        return (*super()._windows(checkpoint, reader, layers)[:-1], None)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        """As the file says of each layer: no pattern is usual."""
        reader.flags("attention.sliding_window_pattern")
        reader.integer("attention.sliding_window", 1, 2**24)
        return file_windows(reader, layers)

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super(Gemma, cls)._check_config(reader)
        if reader.text("use_bidirectional_attention", "vision") != "vision":
            found = quote(reader.values["use_bidirectional_attention"])
            raise reader.unsupported(f"use_bidirectional_attention={found}")
        size = reader.integer("vocab_size", 1, 2**24)
        has_inputs = reader.integer("hidden_size_per_layer_input", 0, MAX_LAYER_WIDTH, 0) > 0
        if has_inputs and reader.integer("vocab_size_per_layer_input", 1, 2**24) != size:
            raise reader.unsupported("vocab_size_per_layer_input other than vocab_size")


def _near_dim(parts: tuple[Gemma4Layer, ...], windows: tuple[int | None, ...], far: int) -> int:
    """How long heads of layers with a window are; as those of the others, where there are none."""
    found = (part.heads.dim for part, window in zip(parts, windows, strict=True) if window)
    return next(found, far)


def _mixture(reader: MetadataReader, count: str, used: str, hidden: str) -> Mixture | None:
    """The experts under these keys; None: there are none, whatever is said of them."""
    experts = reader.integer(count, 0, MAX_EXPERTS, 0)
    width = reader.integer(hidden, 0, 2**20, 0)
    if experts == 0:
        return None
    chosen = reader.integer(used, 1, experts)
    if width % 16 or width == 0:
        raise reader.unsupported(f"experts of {width} values (not a multiple of 16)")
    return Mixture(Routing(experts, chosen, Scoring.chosen_softmax), width)


FAMILY = Gemma4
