"""What of a text is thought, by the bytes of its tokens.

A text that begins with a mark begins with thoughts, and so does one whose prompt has begun them;
they go on until the other mark. Marks may be tokens, or be spelled in several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_TAIL = 3
"""Bytes of a character that is not whole yet; no more tokens have them."""


@dataclass(frozen=True)
class ThoughtMarks:
    """What thoughts of a text stand between.

    Attributes:
        begin, end: the marks.
        end_ids: how the tokenizer spells the second one.
        bytes_of: the bytes that a token stands for.
        is_begun: whether the prompt has begun a thought.
    """

    begin: bytes
    end: bytes
    end_ids: tuple[int, ...]
    bytes_of: Callable[[int], bytes]
    is_begun: bool = False

    def start(self, tokens: Sequence[int], num_prompt_tokens: int) -> int | None:
        """Where the thoughts start, behind their mark; None where there are none, or none yet."""
        if self.is_begun:
            return num_prompt_tokens
        text = b""
        for position in range(num_prompt_tokens, len(tokens)):
            text = (text + self.bytes_of(tokens[position])).lstrip()
            if text.startswith(self.begin):
                return position + 1
            if not self.begin.startswith(text):
                return None
        return None

    def count(self, tokens: Sequence[int]) -> tuple[int, bool]:
        """How many tokens come before the end's mark, and whether that is there."""
        text, starts = bytearray(), []
        for token in tokens:
            starts.append(len(text))
            text += self.bytes_of(token)
            found = text.find(self.end, max(0, starts[-1] - len(self.end) + 1))
            if found >= 0:
                return sum(start < found for start in starts), True
        return len(tokens), False

    def ends_within_character(self, tokens: Sequence[int]) -> bool:
        """Whether the last bytes of these tokens are the beginning of a character."""
        tail = b"".join(map(self.bytes_of, tokens[-MAX_TAIL:]))[-MAX_TAIL:]
        for size, byte in enumerate(reversed(tail), 1):
            if byte >= 0xC0:  # the first of 2, 3 or 4
                return size < 2 + (byte >= 0xE0) + (byte >= 0xF0)
            if byte < 0x80:
                return False
        return False

    def num_thoughts(self, tokens: Sequence[int]) -> int:
        """How many of a text's tokens are thoughts; the marks are none."""
        start = self.start(tokens, 0)
        return 0 if start is None else self.count(tokens[start:])[0]
