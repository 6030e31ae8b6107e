"""A call of a tool."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool.

    Attributes:
        id: by which its answer is told apart: 9 letters and digits.
        name: the tool's.
        arguments: JSON, as the model wrote it.
    """

    id: str
    name: str
    arguments: str

    def parsed(self) -> Any:
        """The arguments as Python has them; ValueError where the text broke off before its end."""
        return json.loads(self.arguments or "{}")

    def to_dict(self) -> dict[str, Any]:
        """As OpenAI writes it, ready to be part of a message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}
