"""Outputs as OpenAI's completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from foretell.outputs import Chunk, GenerationOutput, TokenLogprob
from foretell.server.asking import Asked
from foretell.server.logprobs import completion_logprobs, logprobs_by_id, num_characters
from foretell.server.state import ServerState
from foretell.server.writer import Writer


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
        choice = {"index": index, "text": text, "logprobs": found, **self._ending(output)}
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
        origin=None,
    )


def _emptied_chunk(chunk: Chunk) -> Chunk:
    output = None if chunk.output is None else _emptied(chunk.output)
    logprobs: list[TokenLogprob] | None = None if chunk.logprobs is None else []
    return replace(chunk, text="", token_ids=[], logprobs=logprobs, output=output)
