"""What an analysis asks for, and how it is taken from step to step.

settings → tasks → outputs → a view

An analysis is a generator. It yields the tasks that it wants run together, is sent their outputs,
and returns its view. It runs nothing itself: `LLM` and `AsyncLLM` do, each in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from foretell.config import GenerationConfig
from foretell.inputs.processor import InputProcessor
from foretell.inputs.prompts import Prompt
from foretell.outputs import GenerationOutput
from foretell.streaming.job import Job

T = TypeVar("T")


@dataclass(frozen=True)
class GenerationTask:
    """One prompt to be continued.

    Attributes:
        prompt: text, or token ids.
        config: the settings.
        parse_special: whether special tokens written out in the text count as such.
        default_length: most tokens to generate where `config` states no length; None: no limit.
        extras: further fields of the request.
    """

    prompt: Prompt
    config: GenerationConfig
    parse_special: bool = False
    default_length: int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


Tasks = Sequence[GenerationTask]

Analysis = Generator[Tasks, list[GenerationOutput], T]
"""Yields tasks, is sent their outputs in order (each task's samples together), returns a view."""

ReadPrompt = Callable[[Prompt], tuple[str, list[int]]]
"""The text and the ids of a prompt that could run: `InputProcessor.read`."""


@dataclass(frozen=True)
class Finished(Generic[T]):
    """The end of an analysis: what it came to."""

    view: T


def advance(analysis: Analysis[T], outputs: list[GenerationOutput] | None) -> Tasks | Finished[T]:
    """The next tasks, once those before gave `outputs` (None at the start); or the view."""
    try:
        return next(analysis) if outputs is None else analysis.send(outputs)
    except StopIteration as end:
        return Finished(end.value)


def jobs_of(
    tasks: Tasks, configs: Sequence[GenerationConfig], inputs: InputProcessor, **extras: Any
) -> list[Job]:
    """The jobs of some tasks, all read and checked now, numbered so that outputs keep their order.

    Args:
        tasks: at least one.
        configs: the settings in force for each, by `InputProcessor.settings`.
        inputs: makes the jobs.
        extras: further fields of all requests.
    """
    return [
        inputs.job(
            task.prompt,
            inputs.template(config, default_length=task.default_length, **task.extras, **extras),
            parse_special=task.parse_special,
            prompt_index=index,
        )
        for index, (task, config) in enumerate(zip(tasks, configs, strict=True))
    ]
