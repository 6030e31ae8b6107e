"""What a request says of tools and thoughts, and what its answer is taken apart for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foretell.errors import RequestError
from foretell.outputs import GenerationOutput
from foretell.server.errors import ApiError, api_error, invalid
from foretell.server.sorting import Fields
from foretell.server.values import checked, flag
from foretell.text.reasoning import BEGIN, END
from foretell.text.tokenizer import Tokenizer
from foretell.text.tools.answer import Answer, AnswerReader, join_parts
from foretell.text.tools.use import ToolUse, tool_use

_LAST = 8
"""Tokens at a prompt's end in which a mark may be, and white space behind it."""


@dataclass(frozen=True)
class AnswerForm:
    """What an answer may be beside text.

    Attributes:
        use: the tools that it may call; None: none.
        tells_thoughts: whether thoughts are told apart.
        tokenizer: the model's.
    """

    use: ToolUse | None
    tells_thoughts: bool
    tokenizer: Tokenizer

    @property
    def is_plain(self) -> bool:
        """Whether an answer is nothing but text."""
        return self.use is None and not self.tells_thoughts

    def reader(self, prompt: Sequence[int]) -> AnswerReader:
        """What takes an answer to this prompt, which is token ids, apart."""
        starts_inside = False
        if self.tells_thoughts:
            end = self.tokenizer.decode(list(prompt[-_LAST:]), skip_special_tokens=False)
            starts_inside = end.rstrip().endswith(BEGIN)
        return AnswerReader(
            self.use, tells_thoughts=self.tells_thoughts, starts_inside=starts_inside
        )

    def read(self, output: GenerationOutput, key: str) -> Answer:
        """A whole answer, taken apart."""
        if self.is_plain:
            return Answer(None, output.text, ())
        reader = self.reader(output.prompt_token_ids)
        return join_parts([*reader.feed(output.text), *reader.finish()], key)

    def settings(self) -> dict[str, Any]:
        """The settings with which such an answer is written: its marks are shown."""
        marks = [BEGIN, END] if self.tells_thoughts else []
        if self.use is not None:
            syntax = self.use.syntax
            marks += [mark for mark in (syntax.begin, syntax.end, *syntax.opens) if mark]
        hidden = set(marks) & set(self.tokenizer.control_names)
        return {"skip_special_tokens": False} if hidden else {}


def answer_form(fields: Fields, tokenizer: Tokenizer) -> AnswerForm:
    """What an answer to a request with these fields may be; ApiError if that makes no sense."""
    own, template = fields.own, tokenizer.chat_template
    tools = checked(own, "tools", list, None)
    try:
        use = tool_use(
            None if tools is None else [as_in_chats(tool) for tool in tools],
            own.get("tool_choice"),
            is_parallel=flag(own, "parallel_tool_calls", default=True),
            syntax=checked(own, "tool_syntax", str, None),
            template=template,
        )
    except RequestError as error:
        raise _named(error) from error
    tells_thoughts = flag(own, "include_reasoning", default=True) and BEGIN in (template or "")
    return AnswerForm(use, tells_thoughts, tokenizer)


def as_in_chats(tool: Any) -> Any:
    """A tool of OpenAI's responses as their chats have it; what is no such tool is as it was."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function" or "function" in tool:
        return tool
    function = {key: value for key, value in tool.items() if key != "type"}
    return {"type": "function", "function": function}


def _named(error: RequestError) -> ApiError:
    """The error with the field that it begins with."""
    message = str(error)
    for name in ("tools", "tool_choice", "tool_syntax"):
        if message.startswith((f"{name}=", f"{name}[", f"{name} ")):
            return invalid(message, name)
    return api_error(error)
