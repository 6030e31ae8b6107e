"""Which model Ray's processes open, how, and whether it is the one that is meant."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from foretell import __version__
from foretell.async_llm import AsyncLLM
from foretell.errors import ConfigError
from foretell.scale.identity import identity_of_name


@dataclass(frozen=True)
class Opening:
    """A model by name or path, and how it is opened.

    Attributes:
        name: as for `LLM`; on each machine it must be known, or lie there.
        options: arguments of `LLM`.
        meant: what tells the model from others, as `identity_of_name` does, or some of that.
        foretell: the version that is meant.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    meant: Mapping[str, str] = field(default_factory=dict)
    foretell: str = __version__

    def elsewhere(self, threads: int) -> Opening:
        """The same for processes that begin in other folders, with so many threads each."""
        options = {**self.options, "threads": threads}
        if "adapters" in options:
            options["adapters"] = [_whole_adapter(one) for one in options["adapters"]]
        return replace(self, name=_whole(self.name), options=options)

    async def open(self) -> AsyncLLM:
        """Open it; ConfigError if the one that is here is another than was meant."""
        self.check()
        return await AsyncLLM(self.name, **self.options).open()

    def check(self) -> None:
        """ConfigError if this machine has another model, or another version of foretell."""
        machine = socket.gethostname()
        if self.foretell != __version__:
            raise ConfigError(
                f"foretell is {__version__} on {machine}: must be {self.foretell}, as where the "
                "work was begun"
            )
        found = identity_of_name(self.name, self.options) if self.meant else {}
        for name, wanted in self.meant.items():
            if found.get(name) != wanted:
                raise ConfigError(
                    f"{self.name} has {name} {found.get(name)} on {machine}: must be {wanted}, as "
                    "where the work was begun"
                )


def _whole(name: str) -> str:
    return os.path.abspath(name) if os.path.exists(name) else name


def _whole_adapter(adapter: Any) -> Any:
    """An adapter as `LLM` takes it, a path or a path and its weight, with the whole path."""
    if isinstance(adapter, tuple):
        return (_whole(adapter[0]), *adapter[1:])
    return _whole(adapter)
