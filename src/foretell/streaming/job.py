"""A job: one prompt's request, with what the user knows of it."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.config import GenerationConfig
from foretell.engine.request import Request
from foretell.errors import ForetellError
from foretell.outputs import Origin
from foretell.telemetry import Caller


@dataclass(frozen=True)
class Job:
    """A request, the text that its prompt is, and the settings as the user knows them.

    Attributes:
        prompt: the text.
        request: what is asked of the engine.
        config: the settings in force.
        prompt_index: which of the prompts of one call this is, from 0.
        is_listed: whether the user gave a list of prompts: errors then say which one they concern.
        origin: makes receipts of the outputs; None: they have none.
        caller: who is told of the request by a span; None: nobody.
    """

    prompt: str
    request: Request
    config: GenerationConfig
    prompt_index: int = 0
    is_listed: bool = False
    origin: Origin | None = None
    caller: Caller | None = None

    @property
    def listed_index(self) -> int | None:
        """The index by which the user knows the prompt; None if it was given alone."""
        return self.prompt_index if self.is_listed else None


def with_prompt_index(error: BaseException, prompt_index: int | None) -> BaseException:
    """The error, naming the prompt of a list that it concerns; None: the prompt was given alone."""
    if prompt_index is None or not isinstance(error, ForetellError):
        return error
    named = error.again(f"prompts[{prompt_index}]: {error}")
    named.__cause__ = error
    return named
