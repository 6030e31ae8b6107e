"""Tools in the words of messages, for chat templates that know none.

The tools are described in the system message, calls and their answers are written as text, all in
the form that models of the Hermes and Qwen families learnt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_TOOLS = re.compile(r"\btools\b")

_INTRODUCTION = """\
You may call functions. They are described here, one JSON object a line:
<tools>
{tools}
</tools>
To call one, write its name and its arguments as a JSON object in this form:
<tool_call>
{{"name": "the function's name", "arguments": {{"an argument": "its value"}}}}
</tool_call>
What the function returns comes back between <tool_response> and </tool_response>."""


def knows_tools(source: str) -> bool:
    """Whether a chat template has a place for tools."""
    return _TOOLS.search(source) is not None


def in_words(
    messages: Sequence[dict[str, Any]], tools: Sequence[Mapping[str, Any]] | None
) -> list[dict[str, Any]]:
    """Checked messages in which tools, calls and answers are text, and nothing else is told.

    Answers that follow each other become one message of the user's: many templates want the roles
    to alternate.
    """
    told: list[dict[str, Any]] = []
    is_after_answer = False
    for message in messages:
        is_answer = message["role"] == "tool"
        one = _in_words(message)
        if is_answer and is_after_answer:
            told[-1]["content"] += "\n" + one["content"]
        else:
            told.append(one)
        is_after_answer = is_answer
    return _with_introduction(told, tools) if tools else told


def _in_words(message: Mapping[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        answer = f"<tool_response>\n{message['content']}\n</tool_response>"
        return {"role": "user", "content": answer}
    if "tool_calls" not in message:
        return {**message}
    calls = [_call_in_words(call["function"]) for call in message["tool_calls"]]
    content = "\n".join([*filter(None, [message["content"]]), *calls])
    others = {key: value for key, value in message.items() if key != "tool_calls"}
    return {**others, "content": content}


def _call_in_words(function: Mapping[str, Any]) -> str:
    call = {"name": function["name"], "arguments": function["arguments"]}
    return f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"


def _with_introduction(
    messages: list[dict[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    lines = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    introduction = _INTRODUCTION.format(tools=lines)
    first = messages[0]
    if first["role"] not in ("system", "developer"):
        return [{"role": "system", "content": introduction}, *messages]
    text = f"{first['content']}\n\n{introduction}" if first["content"] else introduction
    return [{**first, "content": text}, *messages[1:]]
