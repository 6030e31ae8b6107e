"""Outputs as OpenAI's response objects, whole or event by event."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob
from foretell.server.asking import Asked
from foretell.server.errors import ApiError
from foretell.server.logprobs import chat_logprobs, logprobs_by_id
from foretell.server.response_items import Events, OutputItems
from foretell.server.state import ServerState
from foretell.server.usage import UsageCount, usage_of
from foretell.server.writer import ending, receipt_of
from foretell.text.tools.answer import AnswerReader, Part
from foretell.text.tools.parser import AnswerParser
from foretell.text.tools.reader import TextPart


class ResponseWriter:
    """Writes answers of `/v1/responses`: of one text, its reasoning, messages and calls.

    Args:
        asked: the request.
        state: the server's.
        parser: takes the answer apart.
    """

    def __init__(self, asked: Asked, state: ServerState, parser: AnswerParser) -> None:
        self._asked = asked
        self._parser = parser
        self._head = {**_head(asked, parser), "model": state.model_names[0]}
        self._events = Events()
        self._items = OutputItems(self._head["id"], self._events)
        self._reader: AnswerReader | None = None
        self._logprobs: list[Any] = []  # that no text was told with yet
        self._output: GenerationOutput | None = None

    def whole(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """The answer as one object."""
        (output,) = outputs
        config = self._asked.config
        self._reader = (
            None if self._parser.is_plain else self._parser.reader(output.prompt_token_ids, config)
        )
        self._write(output.text, self._told(output.logprobs))
        self._finish(output)
        return self._response(output)

    def start(self, prompts: Sequence[Sequence[int]]) -> bytes:
        """The events that a stream begins with."""
        response = {**self._head, "status": "in_progress"}
        begun = self._events.event("response.created", response=response)
        begun += self._events.event("response.in_progress", response=response)
        if self._parser.is_plain:
            return begun + self._items.begin_message()
        self._reader = self._parser.reader(prompts[0], self._asked.config)
        return begun

    def chunk(self, chunk: Chunk) -> bytes:
        """The events that a chunk makes; none if there is nothing to show yet."""
        events = self._write(chunk.text, self._told(chunk.logprobs))
        if chunk.output is not None:
            self._output = chunk.output
            events += self._finish(chunk.output)
        return events

    def end(self) -> bytes:
        """The event that a stream ends with; no `[DONE]` comes after it."""
        assert self._output is not None
        response = self._response(self._output)
        return self._events.event(f"response.{response['status']}", response=response)

    def failure(self, error: ApiError) -> bytes:
        """The events that tell of an error in the middle of a stream, which ends there.

        The second one has the error in the form of other streams too, which clients raise.
        """
        told = {"code": "server_error", "message": error.message}
        response = {**self._head, "status": "failed", "error": told}
        failed = self._events.event("response.failed", response=response)
        fields = error.as_dict()["error"]
        named = {name: fields[name] for name in ("code", "message", "param")}
        return failed + self._events.event("error", **named, error=fields)

    def _write(self, text: str, logprobs: list[Any]) -> bytes:
        """The events of a text's next part."""
        if self._reader is None:
            return self._items.say(text, logprobs) if text or logprobs else b""
        self._logprobs += logprobs
        return self._take(self._reader.feed(text))

    def _take(self, parts: Iterable[Part]) -> bytes:
        """The events of parts; the first text has the log-probabilities that wait for one."""
        events = b""
        for part in parts:
            told: list[Any] = []
            if isinstance(part, TextPart):
                told, self._logprobs = self._logprobs, []
            events += self._items.take(part, told)
        return events

    def _finish(self, output: GenerationOutput) -> bytes:
        """The events with which the last item ends."""
        events = b"" if self._reader is None else self._take(self._reader.finish())
        if not self._items.has_any:
            events += self._items.begin_message()
        ids = {"token_ids": output.token_ids} if self._asked.returns_ids else {}
        status, _ = _status(output)
        return events + self._items.close(status, **ids)

    def _response(self, output: GenerationOutput) -> dict[str, Any]:
        status, details = _status(output)
        ends = {key: value for key, value in ending(output).items() if key != "finish_reason"}
        return {
            **self._head,
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "incomplete_details": details,
            "output": self._items.items,
            "usage": _usage(usage_of([output])),
            **({} if output.config.seed is None else {"seed": output.config.seed}),
            **ends,
            **self._more(output),
        }

    def _more(self, output: GenerationOutput) -> dict[str, Any]:
        """Further fields of a whole answer, where they were asked for."""
        found: dict[str, Any] = {}
        if output.prompt_logprobs is not None:
            found["prompt_logprobs"] = logprobs_by_id(output.prompt_logprobs)
        if self._asked.returns_ids:
            found["prompt_token_ids"] = output.prompt_token_ids
        if self._asked.returns_receipts:
            found["receipt"] = receipt_of(output)
        return found

    def _told(self, tokens: Sequence[TokenLogprob] | None) -> list[Any]:
        if not tokens:
            return []
        found: list[Any] = chat_logprobs(tokens, self._asked.config.logprobs or 0)["content"]
        return found


def _head(asked: Asked, parser: AnswerParser) -> dict[str, Any]:
    """What a response tells from its beginning on: all that is in force."""
    own, config = asked.fields.own, asked.config
    temperature = (1.0 if config.temperature is None else config.temperature) * config.is_sampling
    return {
        "id": f"resp_{secrets.token_hex(24)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": own.get("instructions"),
        "max_output_tokens": config.max_new_tokens,
        "max_tool_calls": None,
        "metadata": own.get("metadata", {}),
        "output": [],
        "parallel_tool_calls": parser.use is None or parser.use.is_parallel,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": temperature,
        "text": {"format": _format(own)},
        "tool_choice": own.get("tool_choice", "auto"),
        "tools": own.get("tools", []),
        "top_logprobs": config.logprobs or 0,
        "top_p": 1.0 if config.top_p is None else config.top_p,
        "truncation": "disabled",
        "usage": None,
    }


def _format(own: Mapping[str, Any]) -> Any:
    """The form that the text was to have, as it was asked for."""
    wishes = own.get("text") or {}
    return wishes.get("format") or {"type": "text"}


def _status(output: GenerationOutput) -> tuple[str, dict[str, str] | None]:
    """Whether a text came to its end, and why not."""
    if output.finish_reason == "length":
        return "incomplete", {"reason": "max_output_tokens"}
    return "completed", None


def _usage(count: UsageCount) -> dict[str, Any]:
    return {
        "input_tokens": count.prompt_tokens,
        "input_tokens_details": {"cached_tokens": count.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": count.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": count.reasoning_tokens},
        "total_tokens": count.prompt_tokens + count.completion_tokens,
    }
