"""Model names → local files.

`resolve` is all that most callers need: a path is taken as it is, a known name or a Hugging Face id
is looked up in its cache, and fetched when it is missing. The other functions manage the caches:
foretell's own, of known models, and the one that Hugging Face's tools share.

Beside a token's way: models are found and fetched before they are loaded.
"""

from foretell.hub.cache import cache_dir, is_cached
from foretell.hub.models import path, pull, remove, resolve, verify
from foretell.hub.registry import DEFAULT_MODEL, KnownModel, WheelPart, find, known_models
from foretell.hub.shared_cache import CachedModel, cached_models

__all__ = [
    "DEFAULT_MODEL",
    "CachedModel",
    "KnownModel",
    "WheelPart",
    "cache_dir",
    "cached_models",
    "find",
    "is_cached",
    "known_models",
    "path",
    "pull",
    "remove",
    "resolve",
    "verify",
]
