"""Filling a gap: from two texts to a prompt, and to the settings that end what fills it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from foretell.config import GenerationConfig
from foretell.config.validators import token_ids
from foretell.errors import RequestError
from foretell.text.infill import infill_ids, require_marks

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def infill_request(
    tokenizer: Tokenizer,
    prefix: str,
    suffix: str,
    config: GenerationConfig | None,
    settings: Mapping[str, Any],
) -> tuple[list[int], dict[str, Any]]:
    """The prompt, and the settings with the ids that end what fills the gap.

    Raises:
        ConfigError: the stops that are stated make no sense.
        RequestError: the model has no tokens for it, or the prompt is to be healed.
    """
    if settings.get("token_healing") or (config is not None and config.token_healing):
        raise RequestError("token_healing is of texts: a token ends the prompt for a gap")
    ids = infill_ids(tokenizer, prefix, suffix)
    stated = settings.get("stop_token_ids")
    if stated is None and config is not None:
        stated = config.stop_token_ids
    return ids, {**settings, "stop_token_ids": with_ends(tokenizer, stated)}


def with_ends(tokenizer: Tokenizer, stated: Any) -> list[int]:
    """The ids that end a text, and those that end what fills a gap."""
    own = () if stated is None else token_ids("stop_token_ids", stated)
    return sorted({*own, *require_marks(tokenizer).ends} - {*tokenizer.eos_token_ids})
