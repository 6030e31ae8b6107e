"""From the option `speculation` to what guesses tokens ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foretell.backends.base import BackendInfo
from foretell.config import plain
from foretell.decoding.drafts.base import Drafter
from foretell.decoding.drafts.lookup import LookupDrafter
from foretell.errors import ConfigError
from foretell.loading.options import Speculation
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.loading.load import LoadedModel
    from foretell.text.tokenizer import Tokenizer


def make_drafter(speculation: Speculation, loaded: LoadedModel) -> Drafter | None:
    """What guesses for a model; None where nothing is to be guessed.

    With "auto" that is where a guess changes no bit, and where a step is spent on reading weights.

    Raises:
        ConfigError: the draft model has another vocabulary, or the corpus is no text.
    """
    if speculation is None or (speculation == "auto" and not _pays(loaded.backend.info)):
        return None
    if isinstance(speculation, str):
        return LookupDrafter()
    return LookupDrafter(_corpus(speculation["corpus"], loaded.tokenizer))


def _pays(info: BackendInfo) -> bool:
    return info.is_exact and info.weight_bytes > 0


def _corpus(texts: Any, tokenizer: Tokenizer) -> list[int]:
    """The ids of a text, or of several, one behind the other."""
    listed = texts if isinstance(texts, (list, tuple)) else [texts]
    if not listed or any(plain.string(text) is None for text in listed):
        raise ConfigError(f"speculation: corpus={quote(texts)} must be a text, or a list of texts")
    return [token for text in listed for token in tokenizer.encode(text)]
