"""The items that a response consists of, built part by part, with the events that tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any

from foretell.server.frames import dumps
from foretell.text.reasoning import ReasoningPart
from foretell.text.tools.answer import Part, call_id
from foretell.text.tools.reader import TextPart

DELTA = "response.output_text.delta"

Item = dict[str, Any]


class Events:
    """Writes events, which are numbered."""

    def __init__(self) -> None:
        self._num_events = 0

    def event(self, kind: str, **data: Any) -> bytes:
        """An event of this kind."""
        told = dumps({"type": kind, **data, "sequence_number": self.next_number()})
        return b"event: " + kind.encode() + b"\ndata: " + told + b"\n\n"

    def next_number(self) -> int:
        """The number of the next event."""
        number, self._num_events = self._num_events, self._num_events + 1
        return number


class OutputItems:
    """A response's items: reasoning, messages and calls, in the order in which they are written.

    Args:
        response_id: the response's; ids of items begin with it.
        events: writes the events.

    Attributes:
        items: those that are complete.
    """

    def __init__(self, response_id: str, events: Events) -> None:
        self.items: list[Item] = []
        self._key = response_id.removeprefix("resp_")
        self._events = events
        self._item: Item | None = None  # the one that is written
        self._text = ""  # of it
        self._logprobs: list[Any] = []  # of it
        self._frame = ("", "")

    @property
    def has_any(self) -> bool:
        """Whether an item is written, or was."""
        return self._item is not None or bool(self.items)

    def take(self, part: Part, logprobs: Sequence[Any] = ()) -> bytes:
        """The events that a part makes; log-probabilities are a text's alone."""
        if isinstance(part, TextPart):
            return self.say(part.text, logprobs)
        if isinstance(part, ReasoningPart):
            begun = self._begin("reasoning")
            self._text += part.text
            told = self._events.event(
                "response.reasoning_text.delta", **self._content(), delta=part.text
            )
            return begun + told
        begun = b"" if part.name is None else self.close() + self._begin_call(part.name, part.call)
        if not part.arguments:
            return begun
        self._text += part.arguments
        kind = "response.function_call_arguments.delta"
        return begun + self._events.event(kind, **self._where(), delta=part.arguments)

    def say(self, text: str, logprobs: Sequence[Any] = ()) -> bytes:
        """The events of a text's next part."""
        begun = self.begin_message()
        self._text += text
        self._logprobs += logprobs
        if logprobs:
            told = self._events.event(DELTA, **self._content(), delta=text, logprobs=list(logprobs))
            return begun + told
        before, after = self._frame
        number = self._events.next_number()
        data = f"{before}{encode_basestring(text)}{after}{number}}}\n\n"
        return begun + data.encode("utf-8", "replace")

    def begin_message(self) -> bytes:
        """The events with which a message begins; none if one is written."""
        return self._begin("message")

    def close(self, status: str = "completed", **more: Any) -> bytes:
        """The events with which the item that is written ends; `more` is a text's."""
        if self._item is None:
            return b""
        told = {
            "message": self._close_message,
            "reasoning": self._close_reasoning,
            "function_call": self._close_call,
        }[self._item["type"]](more)
        self._item["status"] = status
        done = self._events.event(
            "response.output_item.done", output_index=len(self.items), item=self._item
        )
        self.items.append(self._item)
        self._item, self._text, self._logprobs = None, "", []
        return told + done

    def _begin(self, kind: str) -> bytes:
        """The events of an item with content that begins; none if one of this kind is written."""
        if self._item is not None and self._item["type"] == kind:
            return b""
        closed = self.close()
        if kind == "message":
            begun = self._open("msg", type=kind, role="assistant", content=[])
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            self._frame = _frame_of_delta(self._content())
        else:
            begun = self._open("rs", type=kind, summary=[], content=[])
            part = {"type": "reasoning_text", "text": ""}
        added = self._events.event("response.content_part.added", **self._content(), part=part)
        return closed + begun + added

    def _begin_call(self, name: str, number: int) -> bytes:
        identity = call_id(self._key, number)
        return self._open("fc", type="function_call", call_id=identity, name=name, arguments="")

    def _open(self, prefix: str, **item: Any) -> bytes:
        number = len(self.items)
        self._item = {"id": f"{prefix}_{self._key}{number:x}", **item, "status": "in_progress"}
        return self._events.event(
            "response.output_item.added", output_index=number, item=self._item
        )

    def _close_message(self, more: dict[str, Any]) -> bytes:
        text = {"text": self._text, "logprobs": self._logprobs}
        part = {"type": "output_text", "annotations": [], **text, **more}
        return self._close_content("response.output_text.done", text, part)

    def _close_reasoning(self, more: dict[str, Any]) -> bytes:
        text = {"text": self._text}
        part = {"type": "reasoning_text", **text}
        return self._close_content("response.reasoning_text.done", text, part)

    def _close_content(self, kind: str, text: dict[str, Any], part: dict[str, Any]) -> bytes:
        assert self._item is not None
        self._item["content"] = [part]
        where = self._content()
        done = self._events.event(kind, **where, **text)
        return done + self._events.event("response.content_part.done", **where, part=part)

    def _close_call(self, more: dict[str, Any]) -> bytes:
        assert self._item is not None
        self._item["arguments"] = self._text
        return self._events.event(
            "response.function_call_arguments.done",
            **self._where(),
            name=self._item["name"],
            arguments=self._text,
        )

    def _where(self) -> dict[str, Any]:
        assert self._item is not None
        return {"item_id": self._item["id"], "output_index": len(self.items)}

    def _content(self) -> dict[str, Any]:
        return {**self._where(), "content_index": 0}


def _frame_of_delta(place: dict[str, Any]) -> tuple[str, str]:
    """An event that has a text alone: what is before the text, and up to the event's number."""
    data = dumps({"type": DELTA, **place, "logprobs": []}).decode().removesuffix("}")
    return f'event: {DELTA}\ndata: {data},"delta":', ',"sequence_number":'
