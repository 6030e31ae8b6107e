"""The operations of layers with a state, as a plan writes them down.

Convolutions keep a channel's last inputs; scans and delta rules keep what they make of all before.
"""

from __future__ import annotations

from dataclasses import replace

from foretell.backends.native._core import OpKind
from foretell.backends.native.nodes import Node, Operations, Table, Value


class Recurrences(Operations):
    """Collects operations whose channels each keep some floats of a sequence."""

    def causal_conv(self, x: Value, weight: str, taps: int, *, bias: str | None = None) -> Value:
        """silu of the convolution of each channel with its own `taps`, the last for the token.

        W `(x.width, taps)`; before the sequence's first token lie zeros.
        """
        return self._conv(OpKind.causal_conv, (x,), weight, taps, bias)

    def gated_conv(
        self,
        x: Value,
        weight: str,
        taps: int,
        *,
        gate: Value,
        factor: Value,
        bias: str | None = None,
    ) -> Value:
        """factor * convolution of (gate * x), without an activation: LFM2's short convolution."""
        return self._conv(OpKind.gated_conv, (x, gate, factor), weight, taps, bias)

    def _conv(
        self, kind: OpKind, inputs: tuple[Value, ...], weight: str, taps: int, bias: str | None
    ) -> Value:
        width = inputs[0].width
        biases = () if bias is None else (Table(bias, width),)
        tables = (Table(weight, width, taps), *biases)
        return self._with_state(Node(kind, inputs, self._value(width), tables=tables), taps - 1)

    def selective_scan(
        self, x: Value, steps: Value, channels: int, size: int, name: str, *, bc: Value | None
    ) -> Value:
        """A selective state space: y = C h + D x, h = exp(step A) h + step B x for each token.

        Gu & Dao 2023, arXiv 2312.00752: A `(channels, size)`, each channel with its own step. With
        fewer steps than channels it is Mamba 2's (Dao & Gu 2024, 2405.21060): heads of channels
        that share a step, and a single A.

        Args:
            x: the channels' values; behind them B and C, where `bc` does not hold these.
            steps: one a head, to which a bias is added; softplus makes them positive.
            channels: how many there are.
            size: components of h for each channel.
            name: what A, D and the steps' bias are called: `{name}_a`, `{name}_d`,
                `{name}_dt.bias`.
            bc: B, then C, `size` values for each group of channels.
        """
        heads = steps.width
        repeats, rates = channels // heads, size if heads == channels else 1
        tables = (
            Table(f"{name}_a", heads, rates, repeats),
            Table(f"{name}_d", heads, 1, repeats),
            Table(f"{name}_dt.bias", heads, 1, repeats),
        )
        inputs = (x, steps, bc)
        out = self._value(channels)
        node = Node(OpKind.selective_scan, inputs, out, tables=tables, heads=heads)
        return self._with_state(node, size)

    def delta_rule(
        self,
        x: Value,
        steps: Value,
        strengths: Value,
        channels: int,
        size: int,
        name: str,
        *,
        takes_turns: bool = False,
    ) -> Value:
        """The gated delta rule: y = Sᵀ q / sqrt(size), S = a S + sigmoid(b) k ⊗ (v - a Sᵀ k).

        Yang et al. 2024, arXiv 2412.06464: S `(size, values of a head)` for each head, as it was
        before the token on the right; a = exp(A softplus(step + bias)); q and k of length 1.

        Args:
            x: queries and keys of all key heads, `size` values each, then the heads' values.
            steps: one a head, to which a bias is added; softplus makes them positive.
            strengths: b, one a head.
            channels: how many values there are.
            size: of a query and a key.
            name: what A and the steps' bias are called: `{name}_a`, `{name}_dt.bias`.
            takes_turns: whether heads use the key heads in turns; else neighbours share one.
        """
        heads = steps.width
        repeats = channels // heads
        tables = (
            Table(f"{name}_a", heads, 1, repeats),
            Table(f"{name}_dt.bias", heads, 1, repeats),
        )
        node = Node(
            OpKind.delta_rule,
            (x, steps, strengths),
            self._value(channels),
            tables=tables,
            heads=heads,
            interleaved=takes_turns,
        )
        return self._with_state(node, size)

    def _with_state(self, node: Node, size: int) -> Value:
        """Add a node whose channels each keep so many floats of state."""
        out = node.result
        assert out is not None
        self.nodes.append(replace(node, state=self.state_size, state_size=size))
        self.state_size += out.width * size
        return out
