"""Operations on the heads of a row by themselves, which plans with latent attention take."""

from __future__ import annotations

from foretell.backends.native._core import OpKind
from foretell.backends.native.nodes import Node, Operations, Value
from foretell.backends.native.weights.source import Part


class HeadOperations(Operations):
    """Operations whose rows are one part a head, as wide as each other."""

    def join_heads(self, x: Value, more: Value | None, heads: int, width: int) -> Value:
        """For each head `width` values: those of x, then those of `more`, or zeros."""
        out = self._value(heads * width, x.per_output)
        self.nodes.append(Node(OpKind.join_heads, (x, more), out, heads=heads))
        return out

    def linear_heads(
        self,
        x: Value,
        weight: str,
        heads: int,
        width: int,
        columns: int,
        *,
        part: Part | None = None,
    ) -> Value:
        """W x for each head, of which W `(width, columns)` is its own, x its first values.

        Args:
            x: `heads` parts, of `columns` values each or more.
            weight: `(heads, width, columns)`; with a part, that part of a matrix, which is
                `(heads * width, columns)`.
            heads: how many there are.
            width: of a head's result.
            columns: of its matrix.
            part: of the weight.
        """
        out = self._value(heads * width)
        self.nodes.append(
            Node(
                OpKind.linear_heads,
                (x,),
                out,
                weight,
                width,
                columns,
                heads=heads,
                part=part,
            )
        )
        return out
