"""Inputs brought into the order in which a matrix has them.

GPTQ's groups may be of inputs in any order. Such a matrix is packed group by group, so its product
takes its activations in that order too: a sum of the same products.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foretell.backends.native._core import OpKind
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.source import WeightSource
from foretell.errors import UnsupportedModelError
from foretell.utils.quoting import quote


def permute_inputs(plan: Plan, weights: WeightSource) -> None:
    """Put a permutation before each product whose matrix has its inputs in another order.

    Products of the same values in the same order share one.
    """
    permuted: dict[tuple[int, bytes], Value] = {}
    nodes, plan.nodes = plan.nodes, []
    for node in nodes:
        order = None if node.matrix is None else weights.input_order(node.matrix)
        if order is None:
            plan.nodes.append(node)
            continue
        x = node.inputs[0] if node.inputs else None
        if node.kind != OpKind.linear or x is None:
            raise UnsupportedModelError(
                f"weight {quote(node.matrix)} has its inputs in another order (act-order), which "
                "is supported in plain products alone"
            )
        key = (x.index, order.tobytes())
        if key not in permuted:
            permuted[key] = plan.permute(x, order.astype(np.float32))
        plan.nodes.append(replace(node, inputs=(permuted[key], *node.inputs[1:])))


def takes_permuted_output(plan: Plan) -> bool:
    """Whether the output's product takes its inputs in another order than the layers give them.

    Then it cannot read an early layer's as they are, nor are its inputs the last hidden states.
    """
    output = next((node for node in reversed(plan.nodes) if node.kind == OpKind.linear), None)
    permuted = {
        node.result.index
        for node in plan.nodes
        if node.kind == OpKind.permute and node.result is not None
    }
    x = output.inputs[0] if output is not None else None
    return x is not None and x.index in permuted
