"""Chats: their messages, the tools that may be called, and what an answer is taken apart for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from foretell.errors import RequestError
from foretell.inputs.chat_settings import ToolSettings
from foretell.outputs import Chunk, GenerationOutput, ToolCall
from foretell.text.chat.prompt import chat_prompt
from foretell.text.tools.form import AnswerForm, thinks
from foretell.text.tools.use import tool_use
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class ChatRequest:
    """A chat, ready to be a prompt.

    Attributes:
        read: gives the prompt's token ids; a chat template takes its time.
        settings: of the answers.
        form: what these are taken apart for.
    """

    read: Callable[[], list[int]]
    settings: dict[str, Any]
    form: AnswerForm

    def told(self, output: GenerationOutput) -> GenerationOutput:
        """The output with its calls, and what was thought before, told apart."""
        if self.form.is_plain:
            return output
        key = f"{output.prompt_token_ids} {output.index} {output.text}"
        answer = self.form.read(output.text, output.prompt_token_ids, output.config, key)
        calls = None if self.form.use is None else [ToolCall(*call) for call in answer.calls]
        return replace(
            output,
            content=answer.text,
            reasoning_content=answer.thoughts,
            tool_calls=calls,
        )

    def told_chunks(self, chunks: Generator[Chunk, None, None]) -> Generator[Chunk, None, None]:
        """A stream whose last chunk has such an output; its texts are as they are written."""
        with closing(chunks):
            for chunk in chunks:
                yield self._told_chunk(chunk)

    async def told_async_chunks(
        self, chunks: AsyncGenerator[Chunk, None]
    ) -> AsyncGenerator[Chunk, None]:
        """The same of a stream in asyncio."""
        async with aclosing(chunks):
            async for chunk in chunks:
                yield self._told_chunk(chunk)

    def _told_chunk(self, chunk: Chunk) -> Chunk:
        return chunk if chunk.output is None else replace(chunk, output=self.told(chunk.output))


def chat_request(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> ChatRequest:
    """A chat with these messages and settings, those of tools among them.

    Raises:
        RequestError: what is said of tools makes no sense.
    """
    others = dict(settings)
    wishes = {name: others.pop(name, None) for name in ToolSettings.__annotations__}
    is_parallel = wishes["parallel_tool_calls"]
    if is_parallel not in (None, True, False):
        raise RequestError(f"parallel_tool_calls={quote(is_parallel)} must be True or False")
    template = tokenizer.chat_template
    use = tool_use(
        wishes["tools"],
        wishes["tool_choice"],
        is_parallel=is_parallel is not False,
        syntax=wishes["tool_syntax"],
        template=template,
    )
    form = AnswerForm(use, thinks(template), tokenizer)
    tools = None if use is None else use.tools
    read = partial(chat_prompt, tokenizer, messages, tools=tools)
    return ChatRequest(read, {**form.settings(), **others}, form)
