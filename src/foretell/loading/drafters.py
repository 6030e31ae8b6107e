"""From the option `speculation` to what guesses tokens ahead."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from foretell.backends.base import BackendInfo
from foretell.config import plain
from foretell.decoding.drafts.base import Drafter
from foretell.decoding.drafts.lookup import LookupDrafter
from foretell.errors import ConfigError
from foretell.loading.load import LoadedModel, load_model
from foretell.loading.options import ModelOptions
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

NAMED: Mapping[str, Callable[[], Drafter]] = {
    "lookup": LookupDrafter,
}
"""What guesses, by the words of `DrafterName`."""


def make_drafter(options: ModelOptions, loaded: LoadedModel) -> Drafter | None:
    """What guesses for a model that was opened with these options; None for nothing.

    "auto" is lookup where a guess changes no bit, and a step is spent on reading weights.

    Raises:
        ConfigError: the draft model has another vocabulary, or the corpus is no text.
        ForetellError: the draft model cannot be loaded.
    """
    speculation = options.speculation
    if speculation is None or (speculation == "auto" and not _pays(loaded.backend.info)):
        return None
    if isinstance(speculation, str):
        return NAMED.get(speculation, LookupDrafter)()
    if "corpus" in speculation:
        return LookupDrafter(_corpus(speculation["corpus"], loaded.tokenizer))
    return _draft_model(speculation["draft_model"], options, loaded)


def _pays(info: BackendInfo) -> bool:
    return info.is_exact and info.can_go_back and info.weight_bytes > 0


def _corpus(texts: Any, tokenizer: Tokenizer) -> list[int]:
    """The ids of a text, or of several, one behind the other."""
    listed = texts if isinstance(texts, (list, tuple)) else [texts]
    if not listed or any(plain.string(text) is None for text in listed):
        raise ConfigError(f"speculation: corpus={quote(texts)} must be a text, or a list of texts")
    return [token for text in listed for token in tokenizer.encode(text)]


def _draft_model(model: Any, options: ModelOptions, loaded: LoadedModel) -> Drafter:
    """A second model, in the same number of threads, if its tokens are those of the first."""
    from foretell.engine.draft_model import DraftModel

    is_named = isinstance(model, (str, os.PathLike))
    own = ModelOptions(threads=options.threads) if is_named else ModelOptions()
    draft = load_model(model, None if is_named else loaded.tokenizer, own)
    if not draft.backend.info.can_go_back:
        raise ConfigError(
            f"speculation: draft_model={quote(model)} keeps a state, which cannot go back to "
            "before a guess: must be a model with attention alone"
        )
    vocab_size = loaded.backend.info.vocab_size
    if draft.backend.info.vocab_size < vocab_size:
        raise ConfigError(
            f"speculation: draft_model={quote(model)} has {draft.backend.info.vocab_size} tokens: "
            f"must have the {vocab_size} of the model"
        )
    _check_same_tokens(model, draft.tokenizer, loaded.tokenizer)
    return DraftModel(draft.backend, vocab_size)


def _check_same_tokens(model: Any, ours: Tokenizer, theirs: Tokenizer) -> None:
    """ConfigError, which names the first token that is another one in the draft model."""
    if ours is theirs:
        return
    for token_id in range(theirs.vocab_size):
        has_it = token_id < ours.vocab_size
        found = ours.token_bytes(token_id) if has_it else None
        if found != theirs.token_bytes(token_id):
            raise ConfigError(
                f"speculation: draft_model={quote(model)} has another vocabulary: token {token_id} "
                f"is {quote(found)}, must be {quote(theirs.token_bytes(token_id))}"
            )
