"""What the requests of a task have computed, for whoever counts it.

Views are made of several requests, and what they give does not tell of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from foretell.outputs import GenerationOutput


@dataclass(frozen=True)
class Tally:
    """Tokens of requests: of their prompts, those among them found computed, those generated."""

    prompt_tokens: int
    cached_tokens: int = 0
    completion_tokens: int = 0


_listener: ContextVar[Callable[[Tally], object] | None] = ContextVar("tally", default=None)


@contextmanager
def counting(hear: Callable[[Tally], object]) -> Iterator[None]:
    """A block, and tasks that it starts, whose requests are told to `hear` as they end."""
    before = _listener.set(hear)
    try:
        yield
    finally:
        _listener.reset(before)


def note_outputs(outputs: Iterable[GenerationOutput]) -> None:
    """Tell of texts; a prompt with several counts once."""
    hear = _listener.get()
    if hear is None:
        return
    usages = [(output.index == 0, output.usage) for output in outputs]
    firsts = [usage for is_first, usage in usages if is_first]
    hear(
        Tally(
            sum(usage.prompt_tokens for usage in firsts),
            sum(usage.cached_tokens for usage in firsts),
            sum(usage.completion_tokens for _, usage in usages),
        )
    )


def note_prompt(num_tokens: int) -> None:
    """Tell of a prompt that was looked at, with nothing generated."""
    hear = _listener.get()
    if hear is not None:
        hear(Tally(num_tokens))
