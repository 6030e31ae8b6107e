"""How the layers of Gemma 4 differ from each other, and what checkpoints call their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.mixtures import router_names
from foretell.backends.native.model import check_heads
from foretell.backends.native.plan import Heads
from foretell.backends.native.weights.experts import Stack
from foretell.backends.native.weights.source import HFName
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

Windows = Sequence[int | None]

GLOBAL_DIM = 512
HALVES = "ffn_gate_up_exps"
"""What files call the experts' gates and values in one tensor."""

_LAYER = "model.layers.{}"
_EXPERTS = f"{_LAYER}.experts"
HF_NAMES: dict[str, HFName] = {
    **Decoder.HF_NAMES,
    **hf_names(
        post_attention_norm="post_attention_layernorm",
        ffn_norm="pre_feedforward_layernorm",
        post_ffw_norm="post_feedforward_layernorm",
        post_ffw_norm_1="post_feedforward_layernorm_1",
        pre_ffw_norm_2="pre_feedforward_layernorm_2",
        post_ffw_norm_2="post_feedforward_layernorm_2",
        inp_gate="per_layer_input_gate",
        proj="per_layer_projection",
        post_norm="post_per_layer_input_norm",
    ),
    **router_names("router.proj"),
    "blk.{}.layer_output_scale.weight": HFName(f"{_LAYER}.layer_scalar"),
    "blk.{}.ffn_gate_inp.scale": HFName(f"{_LAYER}.router.scale"),
    "blk.{}.ffn_down_exps.scale": HFName(f"{_LAYER}.router.per_expert_scale"),
    "blk.{}.ffn_gate_exps.weight": HFName("", stacks=(Stack(f"{_EXPERTS}.gate_up_proj", 0, 2),)),
    "blk.{}.ffn_up_exps.weight": HFName("", stacks=(Stack(f"{_EXPERTS}.gate_up_proj", 1, 2),)),
    "blk.{}.ffn_down_exps.weight": HFName("", stacks=(Stack(f"{_EXPERTS}.down_proj"),)),
    "per_layer_token_embd.weight": HFName("model.embed_tokens_per_layer.weight"),
    "per_layer_model_proj.weight": HFName("model.per_layer_model_projection.weight"),
    "per_layer_proj_norm.weight": HFName("model.per_layer_projection_norm.weight"),
}


@dataclass(frozen=True)
class Gemma4Layer:
    """What differs from layer to layer.

    Attributes:
        heads: of its attention.
        hidden: how wide its MLP is inside.
        source: the layer whose keys and values it sees; None: its own.
        has_no_values: whether its values are the product that makes its keys.
    """

    heads: Heads
    hidden: int
    source: int | None = None
    has_no_values: bool = False


def config_layers(
    reader: MetadataReader, near: Heads, windows: Windows, hidden: int
) -> tuple[Gemma4Layer, ...]:
    """The layers of a checkpoint whose layers with a window have these heads."""
    shares = reader.flag("attention_k_eq_v", False)
    heads = _config_heads(reader, near, windows, shares=shares)
    num_shared = reader.integer("num_kv_shared_layers", 0, 1024, 0)
    wide = 2 if reader.flag("use_double_wide_mlp", False) else 1
    sources = _sources(reader, windows, num_shared)
    parts = tuple(
        Gemma4Layer(
            heads=heads[layer],
            hidden=hidden if sources[layer] is None else wide * hidden,
            source=sources[layer],
            has_no_values=shares and window is None,
        )
        for layer, window in enumerate(windows)
    )
    return _checked(reader, parts, windows)


def _config_heads(
    reader: MetadataReader, near: Heads, windows: Windows, *, shares: bool
) -> list[Heads]:
    """Each layer's heads: of `per_layer_config`, or of the keys that came before it."""
    kept = reader.part("per_layer_config")
    if kept is None:
        kv = reader.integer("num_key_value_heads", 1, near.query)
        far = Heads(
            near.query,
            reader.integer("num_global_key_value_heads", 1, near.query, kv) if shares else kv,
            reader.integer("global_head_dim", 1, 2**16, GLOBAL_DIM),
        )
        return [near if window else check_heads(reader, far) for window in windows]
    names = {int(name): name for name in kept.values if name.isdecimal()}  # "05", among many
    if len(names) < len(kept) or not names.keys() <= {*range(len(windows))}:
        raise kept.wrong(f"each key must be the number of one of {len(windows)} layers")
    found = []
    for layer in range(len(windows)):
        own = kept.part(names.get(layer, "")) or reader.of_object({}, "")
        if others := own.values.keys() - {"head_dim", "num_key_value_heads"}:
            raise reader.unsupported(f"{min(others)} in per_layer_config")
        kv = own.integer("num_key_value_heads", 1, near.query, near.kv)
        dim = own.integer("head_dim", 1, 2**16, near.dim)
        found.append(check_heads(reader, Heads(near.query, kv, dim)))
    return found


def file_layers(
    file: GGUFFile, reader: MetadataReader, far: Heads, windows: Windows
) -> tuple[Gemma4Layer, ...]:
    """The layers of a GGUF file whose layers that see all have these heads."""
    layers = len(windows)
    dim = reader.integer("attention.key_length_swa", 16, 1024)
    if reader.integer("attention.value_length_swa", 1, 2**16, dim) != dim:
        raise reader.unsupported("a value head longer or shorter than a key head")
    counts = by_layers(reader, "attention.head_count_kv", layers, far.query)
    hidden = by_layers(reader, "feed_forward_length", layers, 2**20)
    num_shared = reader.integer("attention.shared_kv_layers", 0, 1024, 0)
    sources = _sources(reader, windows, num_shared)
    parts = tuple(
        Gemma4Layer(
            heads=check_heads(reader, Heads(far.query, counts[layer], dim if window else far.dim)),
            hidden=hidden[layer],
            source=sources[layer],
            has_no_values=f"blk.{layer}.attn_v.weight" not in file.tensors,
        )
        for layer, window in enumerate(windows)
    )
    return _checked(reader, parts, windows)


def _checked(
    reader: MetadataReader, parts: tuple[Gemma4Layer, ...], windows: Windows
) -> tuple[Gemma4Layer, ...]:
    """The layers, if those of a kind can be rotated alike, and those that share keys fit them."""
    for sees_all in (True, False):
        kind = [
            part for part, window in zip(parts, windows, strict=True) if (not window) is sees_all
        ]
        if len({part.heads.dim for part in kind}) > 1:
            raise reader.unsupported("heads of several lengths in layers of one kind")
    for layer, part in enumerate(parts):
        if part.source is not None and part.heads != parts[part.source].heads:
            raise reader.wrong(
                f"layer {layer} shares the keys and values of layer {part.source}: must have as "
                "many heads of them"
            )
    return parts


def by_layers(reader: MetadataReader, key: str, layers: int, most: int) -> list[int]:
    """A number of each layer, of which a file may state one for all."""
    if not reader.is_list(key):
        return [reader.integer(key, 1, most)] * layers
    values = reader.integers(key)
    if len(values) != layers or not all(1 <= value <= most for value in values):
        raise reader.wrong(f"{key} must be {layers} numbers, one a layer, from 1 to {most}")
    return values


def _sources(reader: MetadataReader, windows: Windows, num_shared: int) -> list[int | None]:
    """The layer whose keys and values each of the last `num_shared` sees; None: its own."""
    first = len(windows) - num_shared
    kinds = [window is None for window in windows]
    if not {*kinds} <= {*kinds[: max(first, 0)]}:
        raise reader.wrong(
            f"the last {num_shared} of {len(kinds)} layers share keys and values: one of each kind "
            "must come before them"
        )
    return [
        None if layer < first else max(one for one in range(first) if kinds[one] == kind)
        for layer, kind in enumerate(kinds)
    ]
