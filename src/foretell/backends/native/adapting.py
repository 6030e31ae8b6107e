"""Which of a model's matrices its adapters mean."""

from __future__ import annotations

from collections.abc import Mapping

from foretell.backends.native.model import Model
from foretell.backends.native.plan import Plan
from foretell.backends.native.weights.adapters import Adapters
from foretell.backends.native.weights.source import HFName
from foretell.backends.native.weights.spellings import spellings


def bind_adapters(adapters: Adapters, model: Model, plan: Plan, *, is_gguf: bool) -> None:
    """Let adapters find the matrices of a plan; errors are those of `Adapters.bind`."""
    names = plan.matrices
    adapters.bind(
        {name.removesuffix(".weight"): name for name in names},
        {module: name for name in names for module in hub_modules(model.HF_NAMES, name)},
        _halved(model, names),
        _reordered(model, names),
        is_gguf=is_gguf,
    )


def hub_modules(hub_names: Mapping[str, HFName], name: str) -> list[str]:
    """What transformers calls the module of a weight, with and without its first part."""
    head, _, rest = name.partition(".")
    layer, _, part = rest.partition(".")
    is_layer = head == "blk" and layer.isdecimal()
    known = hub_names.get(f"blk.{{}}.{part}" if is_layer else name)
    if known is None or known.stacks:  # adapters of experts are not read
        return []
    return [one.removesuffix(".weight") for one in spellings(known.name.format(layer))]


def _halved(model: Model, names: list[str]) -> dict[str, int]:
    """Matrices whose rows GGUF files have as pairs, checkpoints half a head apart, and heads."""
    in_files = getattr(model, "IS_INTERLEAVED", False)
    if not in_files or getattr(model, "IS_INTERLEAVED_IN_FOLDERS", False):
        return {}
    heads = {"attn_q.weight": model.shape.heads.query, "attn_k.weight": model.shape.heads.kv}
    parts = {name: name.split(".", 2)[-1] for name in names}
    return {name: heads[part] for name, part in parts.items() if part in heads}


def _reordered(model: Model, names: list[str]) -> set[str]:
    """Matrices whose rows or columns GGUF files have in an order of their own."""
    parts = getattr(model, "reordered", ())
    return {name for name in names if name.split(".", 2)[-1] in parts}
