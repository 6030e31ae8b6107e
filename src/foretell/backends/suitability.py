"""Whether a transformers model can run on KV blocks, and how long its sequences may be (row 4)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from foretell.errors import ConfigError, UnsupportedModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CACHE_NAMES = ("past_key_values", "cache")
LENGTH_NAMES = ("max_position_embeddings", "max_seq_len", "seq_length", "max_sequence_length")


def check_kind(model: PreTrainedModel) -> None:
    """Refuse what cannot run on blocks of keys and values, before it is tried.

    Raises:
        ConfigError: it is in training mode.
        UnsupportedModelError: it has an encoder, or remembers something else.
    """
    kind = type(model).__name__
    if getattr(model.config, "is_encoder_decoder", False):
        raise UnsupportedModelError(f"{kind} has an encoder: must be a decoder only")
    if getattr(model, "_is_stateful", False):
        raise UnsupportedModelError(
            f"{kind} remembers a state that all its tokens share: must remember keys and values of "
            "each, which can be shared, forked and rolled back"
        )
    if cache_argument(model) is None:
        raise UnsupportedModelError(
            f"{kind} takes no cache: must keep its keys and values in a Cache of transformers"
        )
    check_evaluates(model)


def cache_argument(model: PreTrainedModel) -> str | None:
    """By which argument the model takes a Cache: it was renamed in transformers 5.24."""
    arguments = inspect.signature(model.forward).parameters
    return next((name for name in CACHE_NAMES if name in arguments), None)


def check_evaluates(model: PreTrainedModel) -> None:
    """ConfigError if the model is in training mode."""
    if model.training:
        raise ConfigError(
            f"{type(model).__name__} is in training mode, where dropout changes its answers: "
            "call model.eval() first"
        )


def text_config(model: PreTrainedModel) -> Any:
    """The configuration of the part that writes text."""
    return cast(Any, model.config).get_text_config(decoder=True)


def choose_context(wanted: int | None, model: PreTrainedModel) -> int:
    """Most positions of a sequence: as wanted, or as many as the model was made for.

    ConfigError if that is not known, or more are wanted.
    """
    longest = _longest(text_config(model))
    if wanted is None and longest is None:
        raise ConfigError(
            f"context_length=None: {type(model).__name__} does not say how long a sequence may be: "
            "give an integer ≥ 1"
        )
    chosen = cast(int, longest if wanted is None else wanted)
    check_count("context_length", chosen)
    if longest is not None and chosen > longest:
        raise ConfigError(
            f"context_length={chosen!r} must be an integer from 1 to {longest}, the model's own"
        )
    return chosen


def check_count(name: str, value: int) -> None:
    """ConfigError unless it is an integer from 1 on."""
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name}={value!r} must be an integer ≥ 1")


def _longest(config: Any) -> int | None:
    """Most positions; with longrope, as many as leave its frequencies, and so past keys, valid."""
    values = [getattr(config, name, None) for name in LENGTH_NAMES]
    lengths = [value for value in values if isinstance(value, int) and value > 0][:1]
    rope = getattr(config, "rope_parameters", None) or {}
    for part in (rope, *rope.values()):
        if isinstance(part, dict) and part.get("rope_type") == "longrope":
            original = part.get("original_max_position_embeddings")
            lengths += [original] if isinstance(original, int) else []
    return min(lengths, default=None)
