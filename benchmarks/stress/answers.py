"""Requests, and what the engine answers them, however that is cut into events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from foretell.config import GenerationConfig
from foretell.decoding.logprobs import TokenReport
from foretell.engine.events import EndEvent, Event, PromptEvent
from foretell.engine.request import Request


def request(prompt: list[int], **settings: Any) -> Request:
    """A request; what is not a setting of GenerationConfig is the request's own."""
    own = {name: settings.pop(name) for name in [*settings] if name in Request.__annotations__}
    return Request(prompt, GenerationConfig(**settings), **own)


@dataclass
class Sample:
    """Tokens with their reports, and the reason for the end: a stop reason, or an EndEvent's."""

    tokens: list[int] = field(default_factory=list)
    reports: list[Any] = field(default_factory=list)
    end: Any = None


@dataclass
class Answer:
    """All that a request was answered, however it was cut into events."""

    prompt: list[TokenReport] = field(default_factory=list)
    samples: dict[int, Sample] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Note an event; nothing may come after a sample's end."""
        if isinstance(event, PromptEvent):
            assert not self.samples
            self.prompt += event.reports
            return
        sample = self.samples.setdefault(event.sample, Sample())
        assert sample.end is None
        if isinstance(event, EndEvent):
            sample.end = event.finish_reason
            return
        sample.tokens.append(event.token_id)
        sample.reports.append(event.reports)
        sample.end = event.stop_reason


def take(events: list[Event], answers: dict[int, Answer]) -> None:
    """Note events, each with its request's answer."""
    for event in events:
        answers.setdefault(event.request_id, Answer()).take(event)
