"""Outputs in OpenAI's form, whole or chunk by chunk: what chats and completions have alike."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob
from foretell.server.asking import Asked
from foretell.server.errors import ApiError
from foretell.server.frames import DONE, TextFrames, frame, long_frame
from foretell.server.state import ServerState
from foretell.server.usage import UsageCount, usage_of


class Writer(ABC):
    """Writes down one request's answer.

    Args:
        asked: the request.
        state: the server's.
    """

    prefix = ""
    whole_kind = ""
    chunk_kind = ""

    def __init__(self, asked: Asked, state: ServerState) -> None:
        self._asked = asked
        self._head = {
            "id": f"{self.prefix}-{secrets.token_hex(16)}",
            "object": self.whole_kind,
            "created": int(time.time()),
            "model": state.model_names[0],
            "system_fingerprint": state.fingerprint,
        }
        self._usage = UsageCount()
        self._counts = asked.includes_usage or asked.counts_always
        self._texts: dict[int, TextFrames] = {}
        self._prompts: Sequence[Sequence[int]] = ()
        self._to_tell = self._choices_with_prompt()

    def identify(self, name: str, *, created: int) -> None:
        """Let the answer have this id and time, in place of one drawn and of now."""
        self._head |= {"id": f"{self.prefix}-{name}", "created": created}

    def whole(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """The answer as one object."""
        choices = [self._choice(index, output) for index, output in enumerate(outputs)]
        seed = outputs[0].config.seed if outputs else None
        extras = {} if seed is None else {"seed": seed}
        usage = usage_of(outputs).as_dict()
        return {**self._head, **extras, "choices": choices, "usage": usage, **self._more(outputs)}

    def start(self, prompts: Sequence[Sequence[int]]) -> bytes:
        """The events that a stream begins with; the prompts are token ids."""
        self._prompts = prompts
        self._usage.prompt_tokens = sum(map(len, prompts))
        self._head["object"] = self.chunk_kind
        return b"".join(map(self._first, range(self._asked.num_choices)))

    def chunk(self, chunk: Chunk) -> bytes:
        """The events that a chunk makes; none if there is nothing to show yet."""
        index = self._index(chunk)
        self._usage.completion_tokens += len(chunk.token_ids)
        events = b""
        if chunk.text or chunk.token_ids or index in self._to_tell:
            events = self._delta(index, chunk)
        if chunk.output is not None:
            self._usage.take(chunk.output)
            unseen = chunk.output.usage.completion_tokens - len(chunk.output.token_ids)
            self._usage.completion_tokens += unseen  # those that a stop has cut from the text
            events += self._last(index, chunk.output)
        return events

    def end(self) -> bytes:
        """The events that a stream ends with."""
        usage = b""
        if self._asked.includes_usage:
            usage = frame({**self._head, "choices": [], "usage": self._usage.as_dict()})
        return usage + DONE

    def failure(self, error: ApiError) -> bytes:
        """The event that tells of an error in the middle of a stream, which ends there."""
        return frame(error.as_dict())

    @abstractmethod
    def _choices_with_prompt(self) -> set[int]:
        """The choices whose first chunk of a stream tells of the prompt."""

    @abstractmethod
    def _add_prompt(self, data: dict[str, Any], chunk: Chunk) -> None:
        """Put in what such a chunk tells of the prompt."""

    @abstractmethod
    def _choice(self, index: int, output: GenerationOutput) -> dict[str, Any]: ...

    @abstractmethod
    def _first(self, index: int) -> bytes: ...

    @abstractmethod
    def _part(self, index: int, text: str, **rest: Any) -> dict[str, Any]: ...

    @abstractmethod
    def _logprobs(self, tokens: Sequence[TokenLogprob], index: int) -> dict[str, Any] | None: ...

    def _index(self, chunk: Chunk) -> int:
        """Which choice a chunk goes on with."""
        return chunk.prompt_index * self._asked.config.num_return_sequences + chunk.index

    def _more(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """Further fields of a whole answer."""
        return {}

    def _delta(self, index: int, chunk: Chunk) -> bytes:
        is_plain = chunk.logprobs is None and index not in self._to_tell
        if is_plain and not self._asked.counts_always and not self._asked.returns_ids:
            return self._text_frames(index).frame(chunk.text) if chunk.text else b""
        rest: dict[str, Any] = {"logprobs": None, "finish_reason": None}
        if chunk.logprobs is not None:
            rest["logprobs"] = self._logprobs(chunk.logprobs, index)
        if self._asked.returns_ids:
            rest["token_ids"] = chunk.token_ids
        return self._event_of(chunk, self._part(index, chunk.text, **rest))

    def _event_of(self, chunk: Chunk, choice: dict[str, Any]) -> bytes:
        """An event of this choice; if it is the choice's first, it tells of the prompt."""
        data = self._data(choice)
        if choice["index"] in self._to_tell:
            self._to_tell.remove(choice["index"])
            self._add_prompt(data, chunk)
            return long_frame(data)
        return frame(data)

    def _text_frames(self, index: int) -> TextFrames:
        """Events of one choice that have a text alone."""
        found = self._texts.get(index)
        if found is None:
            part = self._part(index, TextFrames.SLOT, logprobs=None, finish_reason=None)
            found = self._texts[index] = TextFrames(self._data(part))
        return found

    def _last(self, index: int, output: GenerationOutput) -> bytes:
        return self._event(self._part(index, "", logprobs=None, **self._ending(output)))

    def _ending(self, output: GenerationOutput) -> dict[str, Any]:
        """How a choice ended, and its receipt where that is asked for."""
        told = ending(output)
        if self._asked.returns_receipts:
            told["receipt"] = receipt_of(output)
        return told

    def _event(self, choice: dict[str, Any]) -> bytes:
        return frame(self._data(choice))

    def _data(self, choice: dict[str, Any]) -> dict[str, Any]:
        data = {**self._head, "choices": [choice]}
        if self._counts:
            data["usage"] = self._usage.as_dict() if self._asked.counts_always else None
        return data


def receipt_of(output: GenerationOutput) -> dict[str, Any] | None:
    """What makes a text again, as data; None where there is none. The first reads the model."""
    return None if output.origin is None else output.receipt.to_dict()


def ending(output: GenerationOutput) -> dict[str, Any]:
    """How a choice ended: OpenAI's reason, and which rule of foretell's it was."""
    reason = output.stop_reason
    is_told = reason is not None and reason.kind in ("token", "string", "regex", "loop")
    told: dict[str, Any] = {
        "finish_reason": output.finish_reason,
        "stop_reason": reason.value if reason is not None and is_told else None,
    }
    if output.score is not None:
        told["score"] = output.score
    if output.inclusion_probability is not None:
        told["inclusion_probability"] = output.inclusion_probability
    return told
