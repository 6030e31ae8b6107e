"""How an engine shares the machine among requests."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.errors import ConfigError


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
            if not (value is None and may_be_none) and (type(value) is not int or value < 1):
                choices = "an integer ≥ 1" + (" or None" if may_be_none else "")
                raise ConfigError(f"{name}={value!r} must be {choices}")
        if type(self.prefix_caching) is not bool:
            raise ConfigError(f"prefix_caching={self.prefix_caching!r} must be True or False")
