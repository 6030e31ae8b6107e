"""A model's computation, written down once: what `architectures/*.py` define.

A definition calls the methods of `Plan` in order. Each returns a `Value`: rows of activations that
will exist when the plan runs. `compile.py` turns the plan into a program that C++ walks each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import OpKind, Routing
from foretell.backends.native.head_operations import HeadOperations
from foretell.backends.native.nodes import Heads, Node, RopeTable, Scores, Table, Value
from foretell.backends.native.recurrences import Recurrences
from foretell.backends.native.weights.source import Part

__all__ = ["Heads", "Plan", "RopeTable", "Scores", "Value"]

USUAL_SCORES = Scores()
XIELU = NDArray[np.float32] | tuple[str, str, str, str]
"""Its constants p, n, b, e, or the names of weights that hold them."""


class Plan(HeadOperations, Recurrences):
    """Collects a model's operations in order."""

    def embed(self, weight: str, *, vocab_size: int, width: int, factor: float = 1.0) -> Value:
        """Rows of the matrix `(vocab_size, width)`, by token id, times `factor`."""
        out = self._value(width)
        self.nodes.append(
            Node(OpKind.embed, (), out, matrix=weight, matrix_rows=vocab_size, scalar=factor)
        )
        return out

    def add_positions(
        self, x: Value, weight: str, *, context_length: int, part: Part | None = None
    ) -> Value:
        """x plus rows of the learned matrix `(context_length, x.width)`, by position.

        Or of that part of a matrix.
        """
        out = self._value(x.width)
        self.nodes.append(Node(OpKind.add_positions, (x,), out, weight, context_length, part=part))
        return out

    def scale(self, x: Value, factor: float = 1.0, *, by: str | None = None) -> Value:
        """factor * x, or times the weight `by`, of a single value, too."""
        out = self._value(x.width, x.per_output)
        numbers = () if by is None else (by,)
        self.nodes.append(Node(OpKind.scale, (x,), out, scalar=factor, numbers=numbers))
        return out

    def keep_beside(self, x: Value) -> Value:
        """The value, which layers take beside what the one before them gave."""
        self.beside.add(x.index)
        return x

    def add(self, x: Value, more: Value, factor: float = 1.0) -> Value:
        """x + factor * more."""
        out = self._value(x.width, x.per_output)
        self.nodes.append(Node(OpKind.add, (x, more), out, scalar=factor))
        return out

    def clamp(self, x: Value, bound: float) -> Value:
        """x within -bound … bound."""
        out = self._value(x.width, x.per_output)
        self.nodes.append(Node(OpKind.clamp, (x,), out, scalar=bound))
        return out

    def softcap(self, x: Value, cap: float) -> Value:
        """cap * tanh(x / cap): within -cap … cap (Gemma Team 2024, arXiv 2408.00118)."""
        out = self._value(x.width, x.per_output)
        self.nodes.append(Node(OpKind.softcap, (x,), out, scalar=cap))
        return out

    def rope_table(
        self, frequencies: NDArray[np.float32], *, interleaved: bool, factor: float = 1.0
    ) -> RopeTable:
        """Rotary position embedding: angle = position * frequency, one for each pair.

        What is rotated is multiplied by `factor`. Fewer pairs than half a head leave the rest of
        its values as they are. Su et al. 2021, arXiv 2104.09864.
        """
        out = self._value(2 * len(frequencies))
        self.nodes.append(Node(OpKind.rope_table, (), out, constants=frequencies, scalar=factor))
        return RopeTable(out, interleaved)

    def rms_norm(
        self,
        x: Value,
        weight: str | None,
        eps: float,
        *,
        heads: int = 1,
        residual: Value | None = None,
    ) -> Value:
        """(residual +) x / sqrt(mean(x²) + eps) (* weight), for each head apart.

        Zhang & Sennrich 2019, arXiv 1910.07467.
        """
        out = self._value(x.width, x.per_output)
        self.nodes.append(
            Node(
                OpKind.rms_norm,
                (x, residual),
                out,
                vector=weight,
                vector_size=x.width // heads,
                heads=heads,
                scalar=eps,
            )
        )
        return out

    def group_norm(self, x: Value, weight: str, eps: float, groups: int) -> Value:
        """x / sqrt(mean(x²) + eps) * weight for each group of x apart, its weights its own."""
        out = self._value(x.width, x.per_output)
        tables = (Table(weight, x.width),)
        self.nodes.append(Node(OpKind.rms_norm, (x,), out, tables=tables, heads=groups, scalar=eps))
        return out

    def layer_norm(
        self,
        x: Value,
        weight: str | None,
        bias: str | None,
        eps: float,
        *,
        heads: int = 1,
        is_shared: bool = True,
    ) -> Value:
        """(x - mean(x)) / sqrt(variance(x) + eps) (* weight) (+ bias), for each head apart.

        All heads share weights and biases, unless each has its own. Ba et al. 2016, 1607.06450.
        """
        out = self._value(x.width, x.per_output)
        size = x.width // heads if is_shared else x.width
        self.nodes.append(
            Node(
                OpKind.layer_norm,
                (x,),
                out,
                vector=weight,
                bias=bias,
                vector_size=size,
                heads=heads,
                scalar=eps,
            )
        )
        return out

    def linear(
        self,
        x: Value,
        weight: str,
        width: int,
        *,
        bias: str | None = None,
        residual: Value | None = None,
        part: Part | None = None,
    ) -> Value:
        """(residual +) (bias +) W x, with W `(width, x.width)`, or that part of weight and bias."""
        out = self._value(width, x.per_output)
        self.nodes.append(
            Node(
                OpKind.linear,
                (x, residual),
                out,
                weight,
                width,
                vector=bias,
                vector_size=width,
                part=part,
            )
        )
        return out

    def linears(
        self,
        x: Value,
        weight: str,
        widths: Sequence[int],
        *,
        bias: str | None = None,
        groups: int = 1,
    ) -> tuple[Value, ...]:
        """(bias +) W x for each W of several that are one weight, from above.

        Args:
            x: what all of them take.
            weight: `(sum(widths), x.width)`.
            widths: of the results.
            bias: `(sum(widths),)`.
            groups: how many alike the weight's rows are: each has some of every W.
        """
        begins = accumulate((width // groups for width in widths[:-1]), initial=0)
        parts = [Part(begin, sum(widths), groups) for begin in begins]
        return tuple(
            self.linear(x, weight, width, bias=bias, part=part)
            for width, part in zip(widths, parts, strict=True)
        )

    def attention(
        self,
        q: Value,
        k: Value | None,
        v: Value | None,
        heads: Heads,
        *,
        layer: int,
        rope: RopeTable | None = None,
        scores: Scores = USUAL_SCORES,
    ) -> Value:
        """Causal attention over the cache, which first takes up this batch's keys and values.

        softmax(scores) v for each head, queries and keys rotated, if there is a rope. Without keys
        and values it is over those that a layer before has stored, which `layer` is then.
        """
        place, _ = self._kv_layers.setdefault(layer, (len(self._kv_layers), heads))
        if k is not None:
            self.nodes.append(
                Node(
                    OpKind.store_kv,
                    (k, v, rope.angles if rope else None),
                    layer=place,
                    heads=heads.kv,
                    interleaved=rope is not None and rope.interleaved,
                )
            )
        if rope:
            q = self.rotate(q, rope, heads.query)
        out = self._value(q.width)
        self.nodes.append(
            Node(
                OpKind.attention,
                (q,),
                out,
                layer=place,
                heads=heads.query,
                scalar=heads.dim**-0.5 if scores.scale is None else scores.scale,
                window=scores.window or 0,
                vector=scores.sinks,
                vector_size=heads.query,
                softcap=scores.softcap,
                slopes=scores.slopes,
                rounds_slopes=scores.rounds_slopes,
            )
        )
        return out

    def rotate(self, x: Value, rope: RopeTable, heads: int) -> Value:
        """Rotated queries or keys: `attention` does it, where nothing comes between the two."""
        out = self._value(x.width)
        inputs = (x, rope.angles)
        self.nodes.append(Node(OpKind.rope, inputs, out, heads=heads, interleaved=rope.interleaved))
        return out

    def silu_mul(self, gate: Value, up: Value) -> Value:
        """silu(gate) * up, the gated unit of SwiGLU (Shazeer 2020, arXiv 2002.05202)."""
        return self._activate(OpKind.silu_mul, gate, up)

    def silu(self, x: Value) -> Value:
        """x / (1 + e^-x) (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""
        return self._activate(OpKind.silu_mul, x, None)

    def gelu(self, gate: Value, up: Value | None = None) -> Value:
        """gelu(gate) (* up), in the tanh form (Hendrycks & Gimpel 2016, arXiv 1606.08415).

        0.5 x (1 + tanh(sqrt(2 / π) (x + 0.044715 x³))).
        """
        return self._activate(OpKind.gelu, gate, up)

    def gelu_erf(self, gate: Value, up: Value | None = None) -> Value:
        """gelu(gate) (* up), as it is defined: 0.5 x (1 + erf(x / sqrt(2)))."""
        return self._activate(OpKind.gelu_erf, gate, up)

    def relu(self, gate: Value, up: Value | None = None) -> Value:
        """max(gate, 0) (* up)."""
        return self._activate(OpKind.relu, gate, up)

    def relu_squared(self, gate: Value, up: Value | None = None) -> Value:
        """max(gate, 0)² (* up) (So et al. 2021, arXiv 2109.08668)."""
        return self._activate(OpKind.relu_squared, gate, up)

    def sigmoid(self, gate: Value, up: Value | None = None) -> Value:
        """1 / (1 + e^-gate) (* up)."""
        return self._activate(OpKind.sigmoid, gate, up)

    def clamped_swiglu(self, gate: Value, up: Value) -> Value:
        """gate / (1 + e^-1.702 gate) (up + 1), gate up to 7, up within ±7 (arXiv 2508.10925)."""
        return self._activate(OpKind.clamped_swiglu, gate, up)

    def xielu(self, x: Value, constants: XIELU) -> Value:
        """p x² + b x where x > 0, else (n + b) (e^min(x, e) - 1 - x) + b x (arXiv 2411.13010)."""
        out = self._value(x.width, x.per_output)
        if isinstance(constants, tuple):
            self.nodes.append(Node(OpKind.xielu, (x,), out, numbers=constants))
        else:
            self.nodes.append(Node(OpKind.xielu, (x,), out, constants=constants))
        return out

    def _activate(self, kind: OpKind, gate: Value, up: Value | None) -> Value:
        out = self._value(gate.width, gate.per_output)
        self.nodes.append(Node(kind, (gate, up), out))
        return out

    def permute(self, x: Value, places: NDArray[np.float32]) -> Value:
        """The values of x at these places, one of each."""
        out = self._value(len(places), x.per_output)
        self.nodes.append(Node(OpKind.permute, (x,), out, constants=places))
        return out

    def gather_rows(self, x: Value) -> Value:
        """Only the rows whose logits the batch asks for."""
        out = self._value(x.width, per_output=True)
        self.nodes.append(Node(OpKind.gather_rows, (x,), out))
        return out

    def route(
        self,
        logits: Value,
        routing: Routing,
        *,
        bias: str | None = None,
        factors: str | None = None,
    ) -> None:
        """Let each token choose experts by its logits; by bias, too, which weighs nothing.

        Shazeer et al. 2017, arXiv 1701.06538. What follows of this layer's mixture goes by the
        choice, up to the next layer's. The weights are multiplied by the experts' `factors`,
        where these are given in place of a bias.
        """
        self.nodes.append(
            Node(
                OpKind.route,
                (logits,),
                vector=factors or bias,
                vector_size=routing.experts,
                constants=None if factors is None else np.zeros(routing.experts, np.float32),
                routing=routing,
            )
        )

    def dispatch(self, x: Value, routing: Routing) -> Value:
        """A copy of x for each expert that the token chose, side by side."""
        out = self._value(routing.used * x.width)
        self.nodes.append(Node(OpKind.dispatch, (x,), out, routing=routing))
        return out

    def experts(
        self,
        rows: Value,
        routing: Routing,
        weight: str,
        width: int,
        *,
        bias: str | None = None,
        part: Part | None = None,
    ) -> Value:
        """(bias +) W row for each row of a token, W `(width, width of a row)` its expert's.

        Or that part of each expert's weight.
        """
        out = self._value(routing.used * width)
        self.nodes.append(
            Node(
                OpKind.experts,
                (rows,),
                out,
                weight,
                width,
                vector=bias,
                vector_size=width,
                part=part,
                routing=routing,
            )
        )
        return out

    def combine(
        self,
        rows: Value,
        routing: Routing,
        weight: str,
        width: int,
        *,
        bias: str | None = None,
        residual: Value | None = None,
    ) -> Value:
        """(residual +) the sum of what `experts` would give, by the weights of the choice."""
        out = self._value(width)
        self.nodes.append(
            Node(
                OpKind.combine,
                (rows, residual),
                out,
                weight,
                width,
                vector=bias,
                vector_size=width,
                routing=routing,
            )
        )
        return out

    def add_gated(self, x: Value, gate: Value, more: Value) -> Value:
        """x + sigmoid(gate) more, gate a single value for each row."""
        out = self._value(x.width)
        self.nodes.append(Node(OpKind.add_gated, (x, gate, more), out))
        return out
