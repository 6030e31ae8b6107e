"""How an engine shares the machine among requests."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.config import plain
from foretell.config.ranges import MAX_COUNT
from foretell.errors import ConfigError
from foretell.utils.quoting import quote


@dataclass(frozen=True)
class EngineSettings:
    """What an engine takes on at once. No setting changes what a request's answer is.

    Attributes:
        max_batch_tokens: most tokens of one step; None for what the backend can hold.
        max_running: most sequences that run at once; never more than tokens of one step.
        max_waiting: most requests that wait to run; None for no bound.
        prefix_caching: keep what was computed of tokens, for later requests that begin alike.

    Raises:
        ConfigError: a number below 1.
    """

    max_batch_tokens: int | None = None
    max_running: int = 256
    max_waiting: int | None = None
    prefix_caching: bool = True

    def __post_init__(self) -> None:
        for name in ("max_batch_tokens", "max_running", "max_waiting"):
            value = getattr(self, name)
            may_be_none = name != "max_running"
            if value is None and may_be_none:
                continue
            count = plain.integer(value)
            if count is None or count < 1:
                choices = "an integer ≥ 1" + (" or None" if may_be_none else "")
                raise ConfigError(f"{name}={quote(value)} must be {choices}")
            object.__setattr__(self, name, min(count, MAX_COUNT))
        is_caching = plain.boolean(self.prefix_caching)
        if is_caching is None:
            raise ConfigError(f"prefix_caching={quote(self.prefix_caching)} must be True or False")
        object.__setattr__(self, "prefix_caching", is_caching)
