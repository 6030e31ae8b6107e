"""Outputs as OpenAI's chats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob
from foretell.server.frames import frame
from foretell.server.logprobs import chat_logprobs, logprobs_by_id
from foretell.server.writer import Writer, ending


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
