"""Reads the object of one call as it is written, a piece at a time."""

from __future__ import annotations

import json

NAME = "name"
ARGUMENTS = ("arguments", "parameters")


class CallScanner:
    """Follows an object such as `{"name": "f", "arguments": {"x": 1}}`, character by character.

    The arguments may also be called "parameters", as models of Llama 3 write them.

    Attributes:
        name: the function's, None until it is known.
        is_complete: whether the object has ended.
        is_broken: whether it is not such an object; what comes after that is not read.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_complete = False
        self.is_broken = False
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False
        self._key: str | None = None
        self._text: list[str] = []
        self._arguments: list[str] = []

    def feed(self, text: str) -> int:
        """Read on; how many characters belonged to the object."""
        for index, char in enumerate(text):
            if self.is_complete or self.is_broken:
                return index
            self._read(char)
        return len(text)

    def take_arguments(self) -> str:
        """The text of the arguments that was read since the last time."""
        taken, self._arguments = "".join(self._arguments), []
        return taken

    def _read(self, char: str) -> None:
        if self._depth == 0:
            self._depth = 1
            self.is_broken = char != "{"
            return
        if self._depth == 1 and not self._is_in_string and char in ",:}":
            self._end_part(char)
            return
        if self._depth == 1 and not self._is_in_string and char.isspace():
            return
        if self._key in ARGUMENTS:
            self._arguments.append(char)
        self._text.append(char)
        self._follow(char)

    def _follow(self, char: str) -> None:
        """Keep track of strings, and of how deep the objects and lists are."""
        if self._is_in_string:
            self._is_in_string = self._is_escaped or char != '"'
            self._is_escaped = char == "\\" and not self._is_escaped
        elif char == '"':
            self._is_in_string = True
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1

    def _end_part(self, char: str) -> None:
        """A key or a value of the object itself has ended."""
        text, self._text = "".join(self._text), []
        if char == ":":
            self._key = _string(text)
            self.is_broken = self._key is None
            return
        if self._key == NAME:
            self.name = _string(text)
            self.is_broken = self.name is None
        if self._key is None and (text or char == ","):
            self.is_broken = True
        self._key = None
        self.is_complete = char == "}" and not self.is_broken


def _string(text: str) -> str | None:
    """What a JSON string says; None if the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, str) else None
