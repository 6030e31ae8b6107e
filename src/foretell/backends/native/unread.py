"""What a GGUF file says and a family leaves out: harmless, or refused by name.

llama.cpp knows all these keys (`gguf.constants.Keys` lists them). One that changes the computation
and that nobody asked for would give another model's answers in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foretell.backends.native.plan import Plan
from foretell.backends.native.rope import DIVISORS
from foretell.errors import UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, name_some, quote

HARMLESS_KEYS = frozenset(
    {
        "vocab_size",  # the embedding has as many rows
        "tensor_data_layout",  # where the weights came from
        "pooling_type",  # for embeddings of texts
        "attention.layer_norm_epsilon",  # each family has one kind of norm, and asks for its own
        "attention.layer_norm_rms_epsilon",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",  # these are asked for where they count
        "rope.scaling.yarn_log_multiplier",
        "rope.scaling.yarn_ext_factor",
        "rope.scaling.yarn_attn_factor",
        "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow",
    }
)
NEUTRAL_VALUES: Mapping[str, tuple[Any, ...]] = {
    "attention.causal": (True,),
    "use_parallel_residual": (False,),
    **dict.fromkeys(("logit_scale", "residual_scale", "embedding_scale"), (0, 1)),
    **dict.fromkeys(
        (
            *("attention.clamp_kqv", "attention.max_alibi_bias", "attention.scale"),
            *("attention.sliding_window", "attention.shared_kv_layers"),
            *("attn_logit_softcapping", "final_logit_softcapping", "nextn_predict_layers"),
            *("expert_count", "expert_used_count", "leading_dense_block_count"),
        ),
        (0,),
    ),
}
"""Values with which llama.cpp computes as without the key."""

OTHER_PREFIXES = ("adapter.", "clip.", "diffusion.", "xielu.")
"""Keys without the architecture's name that are not of a model of text, or change it."""

MODEL_TYPE = "model"


def refuse_other_types(file: GGUFFile) -> None:
    """UnsupportedModelError if the file says that it is no model: an adapter, a projector."""
    kind = file.metadata.get("general.type", MODEL_TYPE)
    if kind != MODEL_TYPE:
        raise UnsupportedModelError(
            f"{escape(file.path)}: general.type is {quote(kind)}: must be a whole model"
        )


def refuse_unread_keys(reader: MetadataReader) -> None:
    """UnsupportedModelError if the file has a key that changes the computation and was not read.

    Args:
        reader: of the architecture's keys, after the family has asked for all that it knows.
    """
    context = reader.integer("context_length", 1, 2**24)
    own = [key for key, value in reader.unasked.items() if not _is_harmless(key, value, context)]
    unread = [f"{reader.prefix}{key}" for key in own]
    unread += [key for key in reader.beyond.unasked if key.startswith(OTHER_PREFIXES)]
    if unread:
        raise reader.unsupported(f"metadata {name_some(unread)}")


def _is_harmless(key: str, value: object, context: int) -> bool:
    if key == "attention.sliding_window" and isinstance(value, int) and value >= context:
        return True
    return key in HARMLESS_KEYS or value in NEUTRAL_VALUES.get(key, ())


def refuse_unread_tensors(file: GGUFFile, unread: Sequence[str], plan: Plan) -> None:
    """UnsupportedModelError if the file has tensors that the plan leaves out.

    Args:
        file: an open file.
        unread: its tensors that are none of the plan's weights.
        plan: the computation.
    """
    left = [name for name in unread if not (name in DIVISORS and plan.rotates)]
    if left:
        names = name_some(left)
        raise UnsupportedModelError(
            f"{escape(file.path)}: the file holds {names}, which foretell's "
            f"{quote(file.metadata.get('general.architecture'))} does not compute with"
        )
