"""Outputs as OpenAI's chats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob, ToolCall
from foretell.server.asking import Asked
from foretell.server.frames import frame
from foretell.server.logprobs import chat_logprobs, logprobs_by_id
from foretell.server.state import ServerState
from foretell.server.writer import Writer
from foretell.text.reasoning import ReasoningPart
from foretell.text.tools.answer import AnswerReader, Part, call_id
from foretell.text.tools.parser import AnswerParser
from foretell.text.tools.reader import CallPart, TextPart


class ChatWriter(Writer):
    """Writes answers of `/v1/chat/completions`.

    Args:
        asked: the request.
        state: the server's.
        parser: takes its answers apart.
    """

    prefix, whole_kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def __init__(self, asked: Asked, state: ServerState, parser: AnswerParser) -> None:
        super().__init__(asked, state)
        self._parser = parser
        self._readers: dict[int, AnswerReader] = {}
        self._num_calls: Counter[int] = Counter()

    def _choice(self, index: int, output: GenerationOutput) -> dict[str, Any]:
        config, key = self._asked.config, self._key(index)
        answer = self._parser.read(output.text, output.prompt_token_ids, config, key)
        message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.reasoning is not None:
            message["reasoning_content"] = answer.reasoning
        if answer.calls:
            message["content"] = answer.text or None
            message["tool_calls"] = [ToolCall(*call).to_dict() for call in answer.calls]
        ids = {"token_ids": output.token_ids} if self._asked.returns_ids else {}
        found = None if output.logprobs is None else self._logprobs(output.logprobs, index)
        end = self._ending_of(output, has_calls=bool(answer.calls))
        return {"index": index, "message": message, "logprobs": found, **end, **ids}

    def _delta(self, index: int, chunk: Chunk) -> bytes:
        """The events of a chunk: an answer that may be more than text makes one of each part."""
        if self._parser.is_plain:
            return super()._delta(index, chunk)
        parts = self._reader(index).feed(chunk.text)
        if self._tells_more(index, chunk):
            more = super()._delta(index, replace(chunk, text=""))
        else:
            more = b""
        return more + self._parts(index, parts)

    def _tells_more(self, index: int, chunk: Chunk) -> bool:
        """Whether a chunk tells of more than its text."""
        asked = self._asked
        is_counted = asked.counts_always or asked.returns_ids
        return chunk.logprobs is not None or index in self._to_tell or is_counted

    def _last(self, index: int, output: GenerationOutput) -> bytes:
        if self._parser.is_plain:
            return super()._last(index, output)
        rest = self._parts(index, self._reader(index).finish())
        end = self._ending_of(output, has_calls=self._num_calls[index] > 0)
        return rest + self._event(self._part(index, "", logprobs=None, **end))

    def _parts(self, index: int, parts: Sequence[Part]) -> bytes:
        return b"".join(self._event(self._part_event(index, part)) for part in parts)

    def _part_event(self, index: int, part: Part) -> dict[str, Any]:
        delta: dict[str, Any]
        if isinstance(part, ReasoningPart):
            delta = {"reasoning_content": part.text}
        elif isinstance(part, TextPart):
            delta = {"content": part.text}
        else:
            delta = {"tool_calls": [self._call(index, part)]}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def _call(self, index: int, part: CallPart) -> dict[str, Any]:
        """A part of a call: only the first has its id and name."""
        if part.name is None:
            return {"index": part.call, "function": {"arguments": part.arguments}}
        self._num_calls[index] += 1
        function = {"name": part.name, "arguments": part.arguments}
        call = call_id(self._key(index), part.call)
        return {"index": part.call, "id": call, "type": "function", "function": function}

    def _reader(self, index: int) -> AnswerReader:
        if index not in self._readers:
            self._readers[index] = self._parser.reader(self._prompts[0], self._asked.config)
        return self._readers[index]

    def _key(self, index: int) -> str:
        return f"{self._head['id']} {index}"

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

    def _ending_of(self, output: GenerationOutput, *, has_calls: bool) -> dict[str, Any]:
        """How a choice ended: one that calls ends for the tools' answers."""
        told = self._ending(output)
        if has_calls and told["finish_reason"] == "stop":
            told["finish_reason"] = "tool_calls"
        return told
