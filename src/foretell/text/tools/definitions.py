"""Functions that an assistant may call, as OpenAI describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from foretell.errors import RequestError
from foretell.text.chat.arguments import check_json
from foretell.utils.quoting import quote

FORM = '{"type": "function", "function": {"name": ..., "description": ..., "parameters": ...}}'
MAX_TOOLS = 1024
NO_PARAMETERS = {"type": "object", "properties": {}}

_NAME = re.compile(r"[^\s\"\\{}\[\]<>`]{1,128}")
"""Anything that no syntax of calls can mistake for its own marks."""

Tool = Mapping[str, Any]


def check_tools(tools: Sequence[Tool] | None) -> list[dict[str, Any]]:
    """A copy of the tools, in Python's own types; none of None.

    RequestError unless each is a function with a name of its own. One without parameters takes an
    object without properties.
    """
    if tools is None:
        return []
    if not isinstance(tools, (list, tuple)):
        raise RequestError(f"tools={quote(tools)} must be a list of {FORM}")
    if len(tools) > MAX_TOOLS:
        raise RequestError(f"tools has {len(tools)} entries: must have at most {MAX_TOOLS}")
    checked = [_check_tool(f"tools[{index}]", tool) for index, tool in enumerate(tools)]
    names = [name_of(tool) for tool in checked]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise RequestError(f"tools[{index}] is another {quote(name)}: names must differ")
    return checked


def name_of(tool: Tool) -> str:
    """The name of a checked tool."""
    name: str = tool["function"]["name"]
    return name


def parameters_of(tool: Tool) -> dict[str, Any]:
    """The JSON schema of a checked tool's arguments."""
    schema: dict[str, Any] = tool["function"]["parameters"]
    return schema


def _check_tool(where: str, tool: object) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or not isinstance(tool.get("function"), Mapping):
        raise RequestError(f"{where} is {quote(tool)}: must be {FORM}")
    if tool.get("type", "function") != "function":
        kind = quote(tool["type"])
        raise RequestError(f"{where}['type'] is {kind}: must be 'function', no other is known")
    function = check_json(f"{where}['function']", tool["function"])
    name, described = function.get("name"), function.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RequestError(
            f"{where}['function']['name'] is {quote(name)}: must be 1 to 128 characters without "
            "spaces, quotes and brackets"
        )
    if not (described is None or isinstance(described, str)):
        raise RequestError(
            f"{where}['function']['description'] is {quote(described)}: must be a string"
        )
    parameters = function.get("parameters")
    if parameters is None:
        function["parameters"] = dict(NO_PARAMETERS)
    elif not isinstance(parameters, dict):
        raise RequestError(
            f"{where}['function']['parameters'] is {quote(parameters)}: must be a JSON schema, "
            "an object"
        )
    return {"type": "function", "function": function}
