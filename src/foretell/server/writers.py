"""Outputs in OpenAI's form, whole or chunk by chunk: chats and completions."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob
from foretell.server.asking import Asked
from foretell.server.errors import ApiError
from foretell.server.frames import DONE, TextFrames, frame
from foretell.server.logprobs import (
    chat_logprobs,
    completion_logprobs,
    logprobs_by_id,
    num_characters,
)
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
        if is_plain and not self._asked.counts_always:
            if not chunk.text:
                return b""
            if not self._asked.returns_ids:
                return self._text_frames(index).frame(chunk.text)
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
        return frame(data)

    def _text_frames(self, index: int) -> TextFrames:
        """Events of one choice that have a text alone."""
        found = self._texts.get(index)
        if found is None:
            part = self._part(index, TextFrames.SLOT, logprobs=None, finish_reason=None)
            found = self._texts[index] = TextFrames(self._data(part))
        return found

    def _last(self, index: int, output: GenerationOutput) -> bytes:
        return self._event(self._part(index, "", logprobs=None, **ending(output)))

    def _event(self, choice: dict[str, Any]) -> bytes:
        return frame(self._data(choice))

    def _data(self, choice: dict[str, Any]) -> dict[str, Any]:
        data = {**self._head, "choices": [choice]}
        if self._counts:
            data["usage"] = self._usage.as_dict() if self._asked.counts_always else None
        return data


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
    return told


class ChatWriter(Writer):
    """Writes answers of `/v1/chat/completions`."""

    prefix, whole_kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def _choice(self, index: int, output: GenerationOutput) -> dict[str, Any]:
        message = {"role": "assistant", "content": output.text, "refusal": None}
        ids = {"token_ids": output.token_ids} if self._asked.returns_ids else {}
        found = None if output.logprobs is None else self._logprobs(output.logprobs, index)
        return {"index": index, "message": message, "logprobs": found, **ending(output), **ids}

    def _more(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._asked.config.prompt_logprobs is not None:
            found["prompt_logprobs"] = logprobs_by_id(outputs[0].prompt_logprobs)
        if self._asked.returns_ids:
            found["prompt_token_ids"] = outputs[0].prompt_token_ids
        return found

    def _first(self, index: int) -> bytes:
        delta = {"role": "assistant", "content": "", "refusal": None}
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        data = self._data(choice)
        if self._asked.returns_ids:
            data["prompt_token_ids"] = list(self._prompts[0])
        return frame(data)

    def _choices_with_prompt(self) -> set[int]:
        return set() if self._asked.config.prompt_logprobs is None else {0}

    def _add_prompt(self, data: dict[str, Any], chunk: Chunk) -> None:
        data["prompt_logprobs"] = logprobs_by_id(chunk.prompt_logprobs)

    def _part(self, index: int, text: str, **rest: Any) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text} if text else {}, **rest}

    def _logprobs(self, tokens: Sequence[TokenLogprob], index: int) -> dict[str, Any] | None:
        return chat_logprobs(tokens, self._asked.config.logprobs or 0)


class CompletionWriter(Writer):
    """Writes answers of `/v1/completions`.

    Args:
        asked, state: as for any writer.
        echoed: where each text begins with its prompt: the texts of the prompts, once read.
        drops: whether nothing was to be generated: the one token that was is not told.
    """

    prefix, whole_kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def __init__(
        self,
        asked: Asked,
        state: ServerState,
        echoed: Sequence[str] | None = None,
        *,
        drops: bool = False,
    ) -> None:
        super().__init__(asked, state)
        self._echoed = echoed
        self._drops = drops
        self._offsets: dict[int, int] = {}

    def whole(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """The answer as one object."""
        return super().whole([*map(_emptied, outputs)] if self._drops else outputs)

    def chunk(self, chunk: Chunk) -> bytes:
        """The events that a chunk makes; the first brings what is echoed."""
        if self._drops:
            chunk = _emptied_chunk(chunk)
        if self._echoed is None or chunk.start_byte or self._index(chunk) in self._offsets:
            return super().chunk(chunk)
        return self._echo(chunk) + super().chunk(chunk)

    def _echo(self, chunk: Chunk) -> bytes:
        assert self._echoed is not None
        index, found = self._index(chunk), None
        text = self._echoed[chunk.prompt_index]
        if chunk.prompt_logprobs is not None and chunk.logprobs is not None:
            found = self._logprobs(chunk.prompt_logprobs, index)
        self._offsets[index] = len(text)
        part = self._part(index, text, logprobs=found, finish_reason=None)
        return self._event_of(chunk, part)

    def _choice(self, index: int, output: GenerationOutput) -> dict[str, Any]:
        text, tokens = output.text, output.logprobs
        if self._echoed is not None:
            text = self._echoed[index // self._asked.config.num_return_sequences] + text
            tokens = None if tokens is None else [*(output.prompt_logprobs or ()), *tokens]
        found = None if tokens is None else self._logprobs(tokens, index)
        choice = {"index": index, "text": text, "logprobs": found, **ending(output)}
        if self._asked.returns_ids:
            choice["token_ids"] = output.token_ids
            choice["prompt_token_ids"] = output.prompt_token_ids
        if self._scores_prompt:
            choice["prompt_logprobs"] = logprobs_by_id(output.prompt_logprobs)
        return choice

    @property
    def _scores_prompt(self) -> bool:
        """Whether the prompt's log-probabilities were asked for, and not only with its echo."""
        return "prompt_logprobs" in self._asked.fields.settings

    def _choices_with_prompt(self) -> set[int]:
        tells = self._asked.returns_ids or self._scores_prompt
        return set(range(self._asked.num_choices)) if tells else set()

    def _add_prompt(self, data: dict[str, Any], chunk: Chunk) -> None:
        (choice,) = data["choices"]
        if self._asked.returns_ids:
            choice["prompt_token_ids"] = list(self._prompts[chunk.prompt_index])
        if self._scores_prompt:
            choice["prompt_logprobs"] = logprobs_by_id(chunk.prompt_logprobs)

    def _first(self, index: int) -> bytes:
        return b""

    def _part(self, index: int, text: str, **rest: Any) -> dict[str, Any]:
        return {"index": index, "text": text, **rest}

    def _logprobs(self, tokens: Sequence[TokenLogprob], index: int) -> dict[str, Any] | None:
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + sum(num_characters(token.bytes) for token in tokens)
        return completion_logprobs(tokens, self._asked.config.logprobs or 0, offset)


def _emptied(output: GenerationOutput) -> GenerationOutput:
    """The output had nothing been generated."""
    return replace(
        output,
        text="",
        token_ids=[],
        logprobs=None if output.logprobs is None else [],
        finish_reason="length",
        stop_reason=None,
        usage=replace(output.usage, completion_tokens=0),
    )


def _emptied_chunk(chunk: Chunk) -> Chunk:
    output = None if chunk.output is None else _emptied(chunk.output)
    logprobs: list[TokenLogprob] | None = None if chunk.logprobs is None else []
    return replace(chunk, text="", token_ids=[], logprobs=logprobs, output=output)
