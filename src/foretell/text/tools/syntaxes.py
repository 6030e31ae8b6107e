"""How models write calls of tools.

| name | a call |
|---|---|
| hermes | `<tool_call>{"name": ..., "arguments": ...}</tool_call>`, as Hermes and Qwen |
| llama3 | `{"name": ..., "parameters": ...}` and nothing else, as Llama 3.x |
| mistral | `[TOOL_CALLS][{"name": ..., "arguments": ...}, ...]`, as Mistral |
| json | as llama3, perhaps in a Markdown fence: Gemma and others that are only told to write JSON |
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from foretell.errors import RequestError
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean


@dataclass(frozen=True)
class CallSyntax:
    """One way to write calls.

    Attributes:
        name: of the syntax.
        begin: what a call begins with. Empty: an answer that begins with a call has no mark.
        end: what it ends with; may be missing at the answer's end.
        opens: further marks that an unmarked call may begin with.
        arguments: the key of the arguments in a call's object.
        is_list: whether the mark is followed by a list of calls.
        marks: texts of which a chat template has one where its model writes so.
    """

    name: str
    begin: str
    end: str
    arguments: str = "arguments"
    opens: tuple[str, ...] = ()
    is_list: bool = False
    marks: tuple[str, ...] = ()

    def around(self, name: str) -> tuple[str, str]:
        """What a call of this tool has before and after its arguments."""
        begin = f'{{"name": {json.dumps(name, ensure_ascii=False)}, "{self.arguments}": '
        if self.is_list:
            return f"{self.begin}[{begin}", f"}}]{self.end}"
        if self.begin:
            return f"{self.begin}\n{begin}", f"}}\n{self.end}"
        return begin, "}"


SYNTAXES = {
    one.name: one
    for one in (
        CallSyntax("hermes", "<tool_call>", "</tool_call>", marks=("<tool_call>",)),
        CallSyntax("mistral", "[TOOL_CALLS]", "", is_list=True, marks=("[TOOL_CALLS]",)),
        CallSyntax(
            "llama3",
            "",
            "",
            "parameters",
            opens=("<|python_tag|>",),
            marks=("<|python_tag|>", '"parameters":', "<|start_header_id|>ipython"),
        ),
        CallSyntax("json", "", "```", "parameters", opens=("```json", "```tool_call", "```")),
    )
}


def find_syntax(name: str | None, template: str | None) -> CallSyntax:
    """The syntax of this name, or that which a chat template shows; else that of `fallback.py`.

    Raises RequestError where there is no syntax of the name.
    """
    if name is not None:
        found = SYNTAXES.get(name) if isinstance(name, str) else None
        if found is None:
            hint = did_you_mean(str(name), [*SYNTAXES], "one of " + ", ".join(SYNTAXES))
            raise RequestError(f"tool_syntax={quote(name)} is unknown: {hint}")
        return found
    for syntax in SYNTAXES.values():
        if any(mark in (template or "") for mark in syntax.marks):
            return syntax
    return SYNTAXES["hermes"]
