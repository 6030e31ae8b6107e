"""Which tools an answer may call, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foretell.config.schemas import closed
from foretell.errors import RequestError
from foretell.text.tools.definitions import Tool, check_tools, name_of, parameters_of
from foretell.text.tools.syntaxes import CallSyntax, find_syntax
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean

AUTO, NONE, REQUIRED = "auto", "none", "required"
FORMS = (
    "'auto', 'none', 'required', the name of a tool, or "
    '{"type": "function", "function": {"name": ...}}'
)


@dataclass(frozen=True)
class ToolUse:
    """What an answer may call.

    Attributes:
        tools: those that it may call, in OpenAI's form.
        is_required: whether it must call one, and says nothing else.
        is_parallel: whether there may be several calls.
        syntax: how calls are written.
    """

    tools: tuple[dict[str, Any], ...]
    is_required: bool
    is_parallel: bool
    syntax: CallSyntax

    def settings(self, *, has_form: bool = False) -> dict[str, Any]:
        """The settings that hold an answer to these tools: the arguments follow their schemas.

        A schema that cannot be held to in all is held to as far as it can be, unless its tool is
        `strict`. Calls that have no mark, where there need be none, are not held to anything but
        beside a form of the text (`has_form`), which is JSON.
        """
        syntax = self.syntax
        if not (syntax.begin or self.is_required or has_form):
            return {}
        tag = {
            "structures": [self._structure(tool) for tool in self.tools],
            "triggers": [syntax.begin] if syntax.begin else [],
            "at_least_one": self.is_required,
            "stop_after_first": not self.is_parallel,
        }
        return {"structural_tag": tag}

    def _structure(self, tool: Tool) -> dict[str, Any]:
        """How a call of a tool is written around its arguments, in vLLM's words."""
        begin, end = self.syntax.around(name_of(tool))
        is_strict = bool(tool["function"].get("strict"))
        schema = closed(parameters_of(tool))
        return {"begin": begin, "schema": schema, "end": end, "strict": is_strict}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools."""
        return tuple(map(name_of, self.tools))


def tool_use(
    tools: Sequence[Tool] | None,
    choice: Any = None,
    *,
    is_parallel: bool = True,
    syntax: str | None = None,
    template: str | None = None,
) -> ToolUse | None:
    """What an answer may call; None if nothing.

    Args:
        tools: functions, as OpenAI describes them.
        choice: "auto" (the model's own), "none", "required" (any), the name of one, or OpenAI's
            objects for one, or for some of them.
        is_parallel: whether there may be several calls in one answer.
        syntax: a name in `SYNTAXES`; None: the one that the chat template shows.
        template: that template.

    Raises:
        RequestError: the tools, the choice or the syntax make no sense.
    """
    checked = check_tools(tools)
    found = find_syntax(syntax, template)
    mode, names = _read_choice(choice)
    if mode in (NONE, AUTO) and not names and not checked:
        return None
    if not checked:
        raise RequestError(f"tool_choice={quote(choice)} needs tools: there are none")
    known = [name_of(tool) for tool in checked]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, "must be one of " + ", ".join(known[:20]))
            raise RequestError(f"tool_choice={quote(choice)} names no tool: {hint}")
    if mode == NONE:
        return None
    chosen = tuple(tool for tool in checked if not names or name_of(tool) in names)
    return ToolUse(chosen, mode == REQUIRED, is_parallel, found)


def _read_choice(choice: Any) -> tuple[str, tuple[str, ...]]:
    """A choice as one of the words, and the names of the tools that it is limited to, if it is."""
    if choice is None:
        return AUTO, ()
    if isinstance(choice, str) and choice:
        return (choice, ()) if choice in (AUTO, NONE, REQUIRED) else (REQUIRED, (choice,))
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        return REQUIRED, (_name_in(choice, choice),)
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools", choice)
        tools = allowed.get("tools") if isinstance(allowed, Mapping) else None
        if isinstance(tools, (list, tuple)) and tools and allowed.get("mode") in (AUTO, REQUIRED):
            return allowed["mode"], tuple(_name_in(tool, choice) for tool in tools)
    raise RequestError(f"tool_choice={quote(choice)} must be {FORMS}")


def _name_in(tool: Any, choice: Any) -> str:
    """The name of a function in OpenAI's chats, or in their responses, where it lies flat."""
    described = tool.get("function", tool) if isinstance(tool, Mapping) else None
    name = described.get("name") if isinstance(described, Mapping) else None
    if not isinstance(name, str):
        raise RequestError(f"tool_choice={quote(choice)} must be {FORMS}")
    return name
