"""Whether a transformers model can run on KV blocks, and how long its sequences may be."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from foretell.errors import ConfigError, UnsupportedModelError
from foretell.utils import quoting
from foretell.utils.progress import may_show_on_terminal
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CACHE_NAMES = ("past_key_values", "cache")
MAX_LAYERS = 1024
MAX_CONTEXT = 1 << 24
ALIBI_CONTEXT = 2048
"""Positions of a sequence where ALiBi sets no limit and the config states none: Bloom's."""
LENGTH_NAMES = ("max_position_embeddings", "max_seq_len", "seq_length", "max_sequence_length")
_STATE = (
    "remembers a state that all its tokens share: must remember keys and values of each, which can "
    "be shared, forked and rolled back"
)


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
        raise UnsupportedModelError(f"{kind} {_STATE}")
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


def check_process(process: int) -> None:
    """ConfigError in a fork of the process that made the backend: torch's threads hang there."""
    if process != os.getpid():
        raise ConfigError(
            'backend="transformers" cannot run in a forked process, where torch hangs: load the '
            "model there, or start processes by the method 'spawn'"
        )


def check_config(config: Any) -> None:
    """Refuse a checkpoint by its configuration, before its weights are read.

    Raises:
        UnsupportedModelError: it is of no model that goes on from a text with what it remembers of
            each token.
        ValueError: it asks for more layers than any model has: it is damaged.
    """
    layers = getattr(config.get_text_config(decoder=True), "num_hidden_layers", 1)
    if type(layers) is not int or not 1 <= layers <= MAX_LAYERS:
        raise ValueError(
            f"num_hidden_layers in config.json is {quote(layers)}: must be from 1 to {MAX_LAYERS}"
        )
    _check_architecture(config)


def _check_architecture(config: Any) -> None:
    from transformers.models.auto import modeling_auto

    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    is_encoder = type(config) in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING and not getattr(
        config, "is_decoder", False
    )
    if causal is None or is_encoder or getattr(config, "is_encoder_decoder", False):
        raise UnsupportedModelError(
            f"architecture {quote(config.model_type)} does not continue a text: must be a causal "
            "language model"
        )
    if getattr(causal, "_is_stateful", False):
        raise UnsupportedModelError(f"architecture {quote(config.model_type)} {_STATE}")


@contextmanager
def quiet_bars(logging: Any) -> Iterator[None]:
    """Turn off transformers' progress bars where nobody looks at a terminal, or wants none.

    Args:
        logging: the module `transformers.utils.logging`.
    """
    if may_show_on_terminal() or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def load_reason(error: Exception) -> str:
    """Why transformers could not load a model, in one line."""
    if "ignore_mismatched_sizes" in str(error):
        return "tensors have other shapes than config.json asks for: see the report above"
    if isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError":
        return one_line(error)
    return f"transformers cannot load it: {type(error).__name__}: {one_line(error)}"


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is torch's, which has no class of its own for the memory of processors."""
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text
    )


def one_line(error: Exception) -> str:
    """An error's text, cut short; transformers lists all kinds of models in some."""
    text, _, _list_of_all = str(error).partition("Model type should be one of")
    return quoting.one_line(text.strip())


def text_config(model: PreTrainedModel) -> Any:
    """The configuration of the part that writes text."""
    return cast(Any, model.config).get_text_config(decoder=True)


def choose_context(wanted: int | None, model: PreTrainedModel) -> int:
    """Most positions of a sequence: as wanted, or as many as the model was made for.

    ALIBI_CONTEXT where it knows no positions. ConfigError if it is not known, or more are wanted.
    """
    config = text_config(model)
    longest = _longest(config)
    longest = longest and min(longest, MAX_CONTEXT)
    if wanted is None and longest is None and _has_alibi(config):
        return ALIBI_CONTEXT
    if wanted is None and longest is None:
        raise ConfigError(
            f"context_length=None: {type(model).__name__} does not say how long a sequence may be: "
            "give an integer ≥ 1"
        )
    chosen = cast(int, longest if wanted is None else wanted)
    check_count("context_length", chosen)
    if longest is not None and chosen > longest:
        raise ConfigError(
            f"context_length={quote(chosen)} must be an integer from 1 to {longest}, the model's "
            "own"
        )
    return chosen


def check_count(name: str, value: int) -> None:
    """ConfigError unless it is an integer from 1 on."""
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name}={quote(value)} must be an integer ≥ 1")


def _has_alibi(config: Any) -> bool:
    """Whether distances alone are known to the model, not positions (Press et al. 2021)."""
    return config.model_type == "bloom" or getattr(config, "alibi", False) is True


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
