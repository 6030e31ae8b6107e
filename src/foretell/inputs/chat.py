"""Chats: from messages and tools to a prompt and settings, and from outputs to their parts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from foretell.config import GenerationConfig, plain
from foretell.errors import RequestError
from foretell.inputs.chat_settings import ToolSettings
from foretell.outputs import Chunk, GenerationOutput, ToolCall
from foretell.text.chat.prompt import chat_prompt, template_source, usual_template
from foretell.text.reasoning import thinks
from foretell.text.tools.parser import AnswerParser
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
        parser: takes these apart.
    """

    read: Callable[[], list[int]]
    settings: dict[str, Any]
    parser: AnswerParser

    def parse(self, output: GenerationOutput) -> GenerationOutput:
        """The output with its content, reasoning and calls told apart."""
        if self.parser.is_plain:
            return output
        key = f"{output.prompt_token_ids} {output.index} {output.text}"
        answer = self.parser.read(output.text, output.prompt_token_ids, output.config, key)
        calls = None if self.parser.use is None else [ToolCall(*call) for call in answer.calls]
        return replace(
            output,
            content=answer.text,
            reasoning_content=answer.reasoning,
            tool_calls=calls,
        )

    def parse_stream(self, chunks: Generator[Chunk, None, None]) -> Generator[Chunk, None, None]:
        """The stream with its outputs parsed; the texts of chunks are as they are written."""
        with closing(chunks):
            for chunk in chunks:
                yield self._parse_chunk(chunk)

    async def parse_async_stream(
        self, chunks: AsyncGenerator[Chunk, None]
    ) -> AsyncGenerator[Chunk, None]:
        """The same of a stream in asyncio."""
        async with aclosing(chunks):
            async for chunk in chunks:
                yield self._parse_chunk(chunk)

    def _parse_chunk(self, chunk: Chunk) -> Chunk:
        return chunk if chunk.output is None else replace(chunk, output=self.parse(chunk.output))


def chat_request(
    tokenizer: Tokenizer,
    messages: Sequence[Mapping[str, Any]],
    config: GenerationConfig | None,
    settings: Mapping[str, Any],
    context_length: int | None = None,
) -> ChatRequest:
    """A chat with these messages and settings, which replace the config's; tools among them.

    One that is longer than `context_length` whatever its tokens are is refused when it is read.

    Raises:
        RequestError: what is said of tools makes no sense, or a text's prompt is to be healed.
    """
    others = dict(settings)
    if others.get("token_healing"):
        raise RequestError("token_healing is of texts: the template ends a chat's prompt")
    wishes = {name: others.pop(name, None) for name in ToolSettings.__annotations__}
    is_parallel = wishes["parallel_tool_calls"]
    if is_parallel is not None and plain.boolean(is_parallel) is None:
        raise RequestError(f"parallel_tool_calls={quote(is_parallel)} must be True or False")
    wanted = others.pop("chat_template", None)
    has_tools = bool(wishes["tools"])
    template = (
        usual_template(tokenizer, has_tools=has_tools)
        if wanted is None
        else template_source(tokenizer, wanted)
    )
    use = tool_use(
        wishes["tools"],
        wishes["tool_choice"],
        is_parallel=is_parallel is None or bool(is_parallel),
        syntax=wishes["tool_syntax"],
        template=template,
    )
    parser = AnswerParser(use, thinks(template), tokenizer)
    tools = None if use is None else use.tools
    read = partial(
        chat_prompt,
        tokenizer,
        messages,
        tools=tools,
        chat_template=wanted,
        context_length=context_length,
    )
    stated = {**(config.stated if isinstance(config, GenerationConfig) else {}), **others}
    own = {name: value for name, value in parser.settings(stated).items() if name not in stated}
    return ChatRequest(read, {**own, **others}, parser)
