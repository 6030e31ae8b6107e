"""A job: one prompt's request, with what the user knows of it."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.config import GenerationConfig
from foretell.engine.request import Request
from foretell.errors import ForetellError


@dataclass(frozen=True)
class Job:
    """A request, the text that its prompt is, and the settings as the user knows them.

    `place` is the prompt's in the user's list; None where the user gave one prompt.
    """

    prompt: str
    request: Request
    config: GenerationConfig
    place: int | None = None


def with_prompt_index(error: Exception, prompt_index: int | None) -> Exception:
    """The error, telling which prompt of a list it is about; None: it was given alone."""
    if prompt_index is None or not isinstance(error, ForetellError):
        return error
    named = type(error)(f"prompts[{prompt_index}]: {error}")
    named.__cause__ = error
    return named
