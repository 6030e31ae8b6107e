"""What all routes of one server share."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from functools import cached_property

from foretell import __version__
from foretell.async_llm import AsyncLLM
from foretell.inputs.processor import InputProcessor
from foretell.loading.origin import weights_of
from foretell.server.body import Room
from foretell.server.lifecycle import Lifecycle
from foretell.server.metrics import Metrics
from foretell.server.options import ServerOptions, called
from foretell.server.pace import Beat

MAX_BODIES = 64
"""So many bodies of the largest size may be received at a time."""


@dataclass
class ServerState:
    """A model, how it is served, and since when.

    Attributes:
        llm: answers the requests.
        options: how it is served.
        lifecycle: whether it is there yet, or no more.
        metrics: what was counted.
        created: when the server began, in seconds since 1970.
    """

    llm: AsyncLLM
    options: ServerOptions
    lifecycle: Lifecycle
    metrics: Metrics = field(default_factory=Metrics)
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names that requests may call the model by; the first is the one that answers bear."""
        return self.options.model_names or (self._own_name,)

    @cached_property
    def room(self) -> Room:
        """Where bodies are while they are received and read."""
        return Room(MAX_BODIES * self.options.max_body_bytes)

    @cached_property
    def inputs(self) -> InputProcessor:
        """What checks settings, and compiles forms, that nothing is written with."""
        llm = self.llm
        return InputProcessor(llm.tokenizer, llm.recommended, lambda _: None, llm.info.vocab_size)

    @cached_property
    def beat(self) -> Beat:
        """When streams write that have written just now."""
        return Beat(self.lifecycle, self.options.write_interval)

    @cached_property
    def _own_name(self) -> str:
        """What the model is called by itself."""
        name = self.llm.model_name
        return "foretell" if name is None else called(name)

    @cached_property
    def fingerprint(self) -> str:
        """OpenAI's `system_fingerprint`: the same where model and engine are.

        Names that it is served by, threads and instruction sets change no token, and are no part of
        it; how numbers are kept changes some.
        """
        info = self.llm.info
        model = weights_of(info).split(", ")
        sizes = (info.vocab_size, info.weight_bytes, info.kv_bytes_per_token)
        told = (__version__, info.name, self._own_name, model, sizes)
        return f"fp_{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}"
