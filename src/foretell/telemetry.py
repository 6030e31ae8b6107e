"""Spans of OpenTelemetry, one a request, in programs that use OpenTelemetry.

Whoever has imported it has a span of each request that has ended, with the attributes of the
semantic conventions of generative AI, as a child of the span that was current when the request was
made. Elsewhere nothing is imported, and nothing is called: a request takes one look into a dict.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from foretell.config import GenerationConfig
from foretell.outputs import GenerationOutput
from foretell.version import __version__

MODULE = "opentelemetry.trace"
"""There once a program has imported it."""

MODULES = sys.modules
PROVIDER = "foretell"
REQUESTED: Mapping[str, str] = {
    "max_new_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
}
"""Settings that the conventions know."""

MAX_SEED = 2**63 - 1
"""Attributes are signed."""


@dataclass(frozen=True)
class Caller:
    """Who makes a request: OpenTelemetry's context, the model, and what is asked of it."""

    context: Any
    model: str
    operation: str = "text_completion"

    def of_chat(self) -> Caller:
        """The same, of a conversation."""
        return replace(self, operation="chat")

    def begin(self, config: GenerationConfig, num_prompt_tokens: int) -> RequestSpan:
        """The span of a request that begins now."""
        return RequestSpan(self, config, num_prompt_tokens)


def caller(model: str) -> Caller | None:
    """Whoever calls now; None where no provider was set up, which would record the span."""
    from opentelemetry import context, trace

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    return Caller(context.get_current(), model)


class RequestSpan:
    """A request under way. Its span is written as a whole when it ends.

    Args:
        caller: who made it.
        config: its settings.
        num_prompt_tokens: of its prompt.
    """

    def __init__(self, caller: Caller, config: GenerationConfig, num_prompt_tokens: int) -> None:
        self._caller = caller
        self._config = config
        self._num_prompt_tokens = num_prompt_tokens
        self._start = time.time_ns()
        self._outputs: list[GenerationOutput] = []
        self._has_ended = False

    def take(self, output: GenerationOutput) -> None:
        """A sample has ended."""
        self._outputs.append(output)

    def end(self, error: BaseException | None = None) -> None:
        """The request has ended, by itself, by an error, or as nobody wants it any more."""
        if self._has_ended:
            return
        self._has_ended = True
        from opentelemetry import trace

        caller = self._caller
        span = trace.get_tracer("foretell", __version__).start_span(
            f"{caller.operation} {caller.model}",
            context=caller.context,
            kind=trace.SpanKind.INTERNAL,
            attributes={**self._request(), **self._response()},
            start_time=self._start,
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(trace.StatusCode.ERROR, str(error))
        span.end()

    def _request(self) -> dict[str, Any]:
        config = self._config
        found: dict[str, Any] = {
            "gen_ai.operation.name": self._caller.operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": self._caller.model,
            "gen_ai.output.type": "json" if config.json or config.json_schema else "text",
        }
        for setting, name in REQUESTED.items():
            value = getattr(config, setting)
            if value is not None and not (setting == "seed" and value > MAX_SEED):
                found[name] = value
        if config.stop:
            found["gen_ai.request.stop_sequences"] = list(config.stop)
        if config.num_return_sequences > 1:
            found["gen_ai.request.choice.count"] = config.num_return_sequences
        return found

    def _response(self) -> dict[str, Any]:
        found: dict[str, Any] = {"gen_ai.usage.input_tokens": self._num_prompt_tokens}
        if not self._outputs:
            return found
        usages = [output.usage for output in self._outputs]
        first = min(usages, key=lambda usage: usage.time_to_first_token)
        return {
            **found,
            "gen_ai.response.model": self._caller.model,
            "gen_ai.response.finish_reasons": [one.finish_reason for one in self._outputs],
            "gen_ai.response.time_to_first_chunk": first.time_to_first_token,
            "gen_ai.usage.output_tokens": _total(one.completion_tokens for one in usages),
            "gen_ai.usage.cache_read.input_tokens": usages[0].cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": _total(one.reasoning_tokens for one in usages),
            "foretell.usage.draft_tokens": _total(one.draft_tokens for one in usages),
            "foretell.usage.accepted_tokens": _total(one.accepted_tokens for one in usages),
        }


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)


@contextmanager
def of_headers(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
    """Let what runs in this block be the client's, as the headers of its request say.

    A context that is there already, as an instrumentation's of ASGI, stays.
    """
    if MODULE not in MODULES:
        yield
        return
    from opentelemetry import context, propagate, trace

    if trace.get_current_span().get_span_context().is_valid:
        yield
        return
    carrier = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    token = context.attach(propagate.extract(carrier))
    try:
        yield
    finally:
        context.detach(token)
