"""What a request says of tools and reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.errors import RequestError
from foretell.server.errors import ApiError, api_error, invalid
from foretell.server.sorting import Fields
from foretell.server.values import checked, flag
from foretell.text.chat.prompt import usual_template
from foretell.text.reasoning import thinks
from foretell.text.tokenizer import Tokenizer
from foretell.text.tools.parser import AnswerParser
from foretell.text.tools.use import tool_use


def answer_parser(fields: Fields, tokenizer: Tokenizer) -> AnswerParser:
    """What takes answers to a request with these fields apart; ApiError if they make no sense."""
    own = fields.own
    if fields.settings.get("token_healing"):
        raise invalid(
            "token_healing is of texts: the template ends a chat's prompt", "token_healing"
        )
    tools = checked(own, "tools", list, None)
    template = usual_template(tokenizer, has_tools=bool(tools))
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
    if use is not None:
        fields.spelled["structural_tag"] = "tools"
    splits_reasoning = flag(own, "include_reasoning", default=True) and thinks(template)
    return AnswerParser(use, splits_reasoning, tokenizer)


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
