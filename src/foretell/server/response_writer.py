"""Outputs as OpenAI's response objects, whole or event by event."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob
from foretell.server.asking import Asked
from foretell.server.errors import ApiError
from foretell.server.frames import dumps
from foretell.server.logprobs import chat_logprobs, logprobs_by_id
from foretell.server.state import ServerState
from foretell.server.usage import UsageCount, usage_of
from foretell.server.writer import ending

DELTA = "response.output_text.delta"


class ResponseWriter:
    """Writes answers of `/v1/responses`: a response that has one message, which has one text.

    Args:
        asked: the request.
        state: the server's.
    """

    def __init__(self, asked: Asked, state: ServerState) -> None:
        self._asked = asked
        self._head = {**_head(asked), "model": state.model_names[0]}
        self._item_id = f"msg_{secrets.token_hex(16)}"
        self._place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        self._num_events = 0
        self._output: GenerationOutput | None = None
        self._delta_frame = _frame_of_delta(self._place)

    def whole(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """The answer as one object."""
        (output,) = outputs
        status, details = _status(output)
        ends = {key: value for key, value in ending(output).items() if key != "finish_reason"}
        return {
            **self._head,
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "incomplete_details": details,
            "output": [self._item(status, [self._part(output)])],
            "usage": _usage(usage_of(outputs)),
            **({} if output.config.seed is None else {"seed": output.config.seed}),
            **ends,
            **self._more(output),
        }

    def start(self, prompts: Sequence[Sequence[int]]) -> bytes:
        """The events that a stream begins with."""
        response = {**self._head, "status": "in_progress"}
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return b"".join(
            (
                self._event("response.created", response=response),
                self._event("response.in_progress", response=response),
                self._event(
                    "response.output_item.added",
                    output_index=0,
                    item=self._item("in_progress", []),
                ),
                self._event("response.content_part.added", **self._place, part=empty),
            )
        )

    def chunk(self, chunk: Chunk) -> bytes:
        """The events that a chunk makes; none if there is nothing to show yet."""
        events = b""
        if chunk.logprobs:
            told = self._logprobs(chunk.logprobs)
            events = self._event(DELTA, **self._place, delta=chunk.text, logprobs=told)
        elif chunk.text:
            events = self._text_delta(chunk.text)
        if chunk.output is not None:
            self._output = chunk.output
            events += self._done(chunk.output)
        return events

    def end(self) -> bytes:
        """The event that a stream ends with; no `[DONE]` comes after it."""
        assert self._output is not None
        response = self.whole([self._output])
        return self._event(f"response.{response['status']}", response=response)

    def failure(self, error: ApiError) -> bytes:
        """The events that tell of an error in the middle of a stream, which ends there.

        The second one has the error in the form of other streams too, which clients raise.
        """
        told = {"code": "server_error", "message": error.message}
        response = {**self._head, "status": "failed", "error": told}
        failed = self._event("response.failed", response=response)
        fields = error.as_dict()["error"]
        named = {name: fields[name] for name in ("code", "message", "param")}
        return failed + self._event("error", **named, error=fields)

    def _done(self, output: GenerationOutput) -> bytes:
        status, _ = _status(output)
        part = self._part(output)
        text = {"text": part["text"], "logprobs": part["logprobs"]}
        item = self._item(status, [part])
        return b"".join(
            (
                self._event("response.output_text.done", **self._place, **text),
                self._event("response.content_part.done", **self._place, part=part),
                self._event("response.output_item.done", output_index=0, item=item),
            )
        )

    def _item(self, status: str, content: Sequence[Any]) -> dict[str, Any]:
        return {
            "id": self._item_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _part(self, output: GenerationOutput) -> dict[str, Any]:
        ids = {"token_ids": output.token_ids} if self._asked.returns_ids else {}
        told = self._logprobs(output.logprobs or [])
        part = {"type": "output_text", "text": output.text, "annotations": []}
        return {**part, "logprobs": told, **ids}

    def _more(self, output: GenerationOutput) -> dict[str, Any]:
        """Further fields of a whole answer, where they were asked for."""
        found: dict[str, Any] = {}
        if output.prompt_logprobs is not None:
            found["prompt_logprobs"] = logprobs_by_id(output.prompt_logprobs)
        if self._asked.returns_ids:
            found["prompt_token_ids"] = output.prompt_token_ids
        return found

    def _logprobs(self, tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]]
        found = chat_logprobs(tokens, self._asked.config.logprobs or 0)["content"]
        return found

    def _text_delta(self, text: str) -> bytes:
        before, after = self._delta_frame
        number, self._num_events = self._num_events, self._num_events + 1
        data = f"{before}{encode_basestring(text)}{after}{number}}}\n\n"
        return data.encode("utf-8", "replace")

    def _event(self, kind: str, **data: Any) -> bytes:
        number, self._num_events = self._num_events, self._num_events + 1
        told = dumps({"type": kind, **data, "sequence_number": number})
        return b"event: " + kind.encode() + b"\ndata: " + told + b"\n\n"


def _frame_of_delta(place: dict[str, Any]) -> tuple[str, str]:
    """An event that has a text alone: what is before the text, and up to the event's number."""
    data = dumps({"type": DELTA, **place, "logprobs": []}).decode().removesuffix("}")
    return f'event: {DELTA}\ndata: {data},"delta":', ',"sequence_number":'


def _head(asked: Asked) -> dict[str, Any]:
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
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": config.logprobs or 0,
        "top_p": 1.0 if config.top_p is None else config.top_p,
        "truncation": "disabled",
        "usage": None,
    }


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
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": count.prompt_tokens + count.completion_tokens,
    }
