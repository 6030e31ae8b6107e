"""Texts that end a generation: found across token boundaries, held back until it is sure.

A text is read character by character, as if each had come alone. So where a stop is found, and what
is shown before it, depends on the text and not on how tokens cut it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import thread_time
from typing import TYPE_CHECKING, Literal

from foretell.errors import ConfigError
from foretell.text.stop_patterns import check_structure
from foretell.utils.display import count
from foretell.utils.quoting import one_line, quote

if TYPE_CHECKING:
    import regex

MAX_MATCH = 1024  # characters that a regular expression may span
MAX_PATTERN = 1 << 16  # characters of a regular expression that is not a plain text
TIMEOUT = 0.1  # seconds of processor time that the searches of one request may take together,
TIME_PER_CHARACTER = 0.00025  # beside this: 50 usual searches, or 5 that look through MAX_MATCH

CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
ESCAPED = re.compile(r"(?s)\\(.)")
LITERAL = re.compile(r"(?s)(?:[^\\.^$*+?{}\[\]|()]|\\[nrt]|\\[^a-zA-Z0-9])+")
"""A text without what means something in a regular expression, or with all of it escaped."""


@dataclass(frozen=True)
class StopMatch:
    """What ended a text: the characters `start:end` of all that was pushed.

    `value` is the stop string, or what the regular expression matched.
    """

    kind: Literal["string", "regex"]
    value: str
    start: int
    end: int


class SearchBudget:
    """Processor time for the searches of one request, which all others wait for.

    It is `TIMEOUT` at first, and `TIME_PER_CHARACTER` comes back with each character of the text:
    so a long text does not use it up, and no request slows the others down by much for long.

    Attributes:
        left: seconds.
    """

    def __init__(self) -> None:
        self.left = TIMEOUT

    def refill(self, num_characters: int) -> None:
        """Give back what so many further characters may take."""
        self.left = min(TIMEOUT, self.left + num_characters * TIME_PER_CHARACTER)

    def search(
        self, pattern: regex.Pattern[str], text: str, start: int, end: int, *, partial: bool = True
    ) -> regex.Match[str] | None:
        """The first match in `text[start:end]`, else the first that text to come could complete.

        Without `partial` there is none of the latter. ConfigError if it takes too long, or too much
        memory. `regex` looks at the clock on the wall: a search that was cut off while others had
        the processor begins again.
        """
        while self.left > 0:
            begin = thread_time()
            try:
                return pattern.search(text, start, end, partial=partial, timeout=self.left)
            except TimeoutError:
                continue
            except (MemoryError, RecursionError):
                raise _beyond(pattern, "takes too much memory", end) from None
            finally:
                self.left -= thread_time() - begin
        raise _beyond(pattern, f"took over {TIMEOUT:g} s", end)


def _beyond(pattern: regex.Pattern[str], what: str, length: int) -> ConfigError:
    return ConfigError(
        f"stop_regex={quote(pattern.pattern)} {what} on {count(length, 'character')}: must have no "
        "nested repetition"
    )


class StopMatcher:
    """Finds the first stop in a text that comes in pieces, and shows no part of it before.

    The match that ends earliest counts, the longest of those that end together. A regular
    expression matches at the first character with which `search` finds something, so a quantifier
    at its end takes as little as it can, and `$`, `\\b` and what must not follow take the text so
    far for the whole. Held back is only what may yet become a stop: the longest end of the text
    that begins a stop string, and what a regular expression may still match, `max_match` characters
    at most; a longer match is found only where the expression is a plain text. Python's `re` does
    not say what may still match, the `regex` package can.

    Args:
        strings: stop strings, none empty.
        patterns: regular expressions in the syntax of `re`, none of which matches "".
        include: keep the stop in what is shown.
        max_match: characters that a regular expression may span.
        budget: of the request, if it has more matchers than this one.

    Attributes:
        match: the stop that was found; None so far.
        num_held: characters held back now.

    Raises:
        ConfigError: a string is empty, a pattern is malformed, too large or matches the empty text.
    """

    def __init__(
        self,
        strings: Iterable[str] = (),
        patterns: Iterable[str] = (),
        *,
        include: bool = False,
        max_match: int = MAX_MATCH,
        budget: SearchBudget | None = None,
    ) -> None:
        self.match: StopMatch | None = None
        self._include = include
        self._text = ""
        self._num_shown = 0
        strings = tuple(strings)
        self._strings = _StringSearch(strings) if strings else None
        self._budget = SearchBudget() if budget is None else budget
        self._patterns = [_search_for(pattern, max_match, self._budget) for pattern in patterns]

    @property
    def num_held(self) -> int:
        """Characters that were pushed and neither shown nor cut away."""
        return len(self._text) - self._num_shown

    def push(self, piece: str, *, acts: bool = True) -> str:
        """Take the next piece; return what may be shown now.

        A match that ends in a piece pushed with `acts=False` does not count. After a match, pieces
        add nothing. ConfigError if the patterns take too long, or too much memory.
        """
        if self.match is not None:
            return ""
        begin, self._text = len(self._text), self._text + piece
        if self._strings is None and not self._patterns:
            self._num_shown = len(self._text)
            return piece
        if self._patterns:
            self._budget.refill(len(piece))
        for end in range(begin + 1, len(self._text) + 1):
            found = self._search(end, acts)
            if found is not None:
                return self._stop(found)
        return self._show(self._mark(len(self._text)))

    def finish(self) -> str:
        """What was held back, when no more pieces come."""
        return self._show(len(self._text))

    def _search(self, end: int, acts: bool) -> StopMatch | None:
        """Read the character before `end`; the longest stop that it completes."""
        matches = [pattern.search(self._text, end, acts) for pattern in self._patterns]
        if self._strings is not None:
            matches.insert(0, self._strings.step(self._text[end - 1], end))
        found = [match for match in matches if match is not None]
        return min(found, key=lambda match: match.start) if found and acts else None

    def _mark(self, end: int) -> int:
        """Where what may yet become a stop begins."""
        marks = [pattern.mark for pattern in self._patterns]
        if self._strings is not None:
            marks.append(end - self._strings.num_held)
        return min(marks)

    def _stop(self, match: StopMatch) -> str:
        self.match = match
        self._text = self._text[: match.end if self._include else match.start]
        return self._show(len(self._text))

    def _show(self, end: int) -> str:
        shown, self._num_shown = self._text[self._num_shown : end], end
        return shown


@dataclass(eq=False)
class _Node:
    """A prefix of one or more stop strings, in the automaton of Aho and Corasick (1975).

    `fallback` is its longest end that is a prefix too, None for the empty prefix. `string` is the
    longest stop string that it ends with.
    """

    depth: int
    fallback: _Node | None = None
    string: str | None = None
    children: dict[str, _Node] = field(default_factory=dict)


class _StringSearch:
    """Follows a text character by character, for all stop strings at once."""

    def __init__(self, strings: Iterable[str]) -> None:
        self._root = self._node = _Node(0)
        for string in strings:
            if not string:
                raise ConfigError("stop='' would end every text: must have a character")
            node = self._root
            for char in string:
                node = node.children.setdefault(char, _Node(node.depth + 1))
            node.string = string
        self._link()

    def _link(self) -> None:
        """Set the fallbacks, shorter prefixes first."""
        queue = deque([self._root])
        while queue:
            node = queue.popleft()
            for char, child in node.children.items():
                child.fallback = self._next(node.fallback, char)
                child.string = child.string or child.fallback.string
                queue.append(child)

    def _next(self, node: _Node | None, char: str) -> _Node:
        while node is not None and char not in node.children:
            node = node.fallback
        return self._root if node is None else node.children[char]

    def step(self, char: str, end: int) -> StopMatch | None:
        """Read a character; the longest stop string that ends with it, at `end`."""
        self._node = self._next(self._node, char)
        string = self._node.string
        return None if string is None else StopMatch("string", string, end - len(string), end)

    @property
    def num_held(self) -> int:
        """Length of the longest end of the text that goes on to a stop string."""
        node = self._node
        while node.fallback is not None and not node.children:
            node = node.fallback
        return node.depth


class _LiteralSearch:
    """Looks for a regular expression that is a plain text, however long.

    Attributes:
        mark: no match begins before this character.
    """

    def __init__(self, literal: str) -> None:
        self.mark = 0
        self._literal = literal
        self._strings = _StringSearch([literal])

    def search(self, text: str, end: int, acts: bool) -> StopMatch | None:
        """The match that ends with the character before `end`; without `acts` it is passed over."""
        match = self._strings.step(text[end - 1], end)
        if match is None:
            self.mark = end - self._strings.num_held
            return None
        if acts:
            return replace(match, kind="regex")
        self._strings = _StringSearch([self._literal])  # what was passed over is no part of others
        self.mark = end
        return None


class _PatternSearch:
    """Looks for one regular expression.

    Attributes:
        mark: no match begins before this character.
    """

    def __init__(self, pattern: regex.Pattern[str], max_match: int, budget: SearchBudget) -> None:
        self.mark = 0
        self._budget = budget
        self._pattern = pattern
        self._max_match = max_match

    def search(self, text: str, end: int, acts: bool) -> StopMatch | None:
        """The match in `text[:end]`, if there is one; without `acts` it is passed over."""
        while self.mark < end:
            match = self._budget.search(self._pattern, text, self.mark, end)
            start = end if match is None else match.start()
            if match is None or match.partial:
                self.mark = max(start, end - self._max_match)
                return None
            if acts:
                return StopMatch("regex", match.group(), start, match.end())
            self.mark = max(match.end(), self.mark + 1)
        return None


def _search_for(
    pattern: str, max_match: int, budget: SearchBudget
) -> _LiteralSearch | _PatternSearch:
    compiled = _compile(pattern, budget)
    literal = _literal_of(pattern)
    if literal is not None:
        return _LiteralSearch(literal)
    return _PatternSearch(compiled, max_match, budget)


def _compile(pattern: str, budget: SearchBudget) -> regex.Pattern[str]:
    import regex

    name = f"stop_regex={quote(pattern)}"
    _check_pattern(pattern, name)
    try:
        compiled = regex.compile(pattern)
    except (regex.error, ValueError) as error:
        raise ConfigError(f"{name} is no regular expression: {one_line(error)}") from None
    except (RecursionError, MemoryError):
        raise ConfigError(f"{name} is nested too deeply: must have fewer groups") from None
    if budget.search(compiled, "", 0, 0, partial=False) is not None:
        raise ConfigError(f"{name} matches the empty text: must need at least one character")
    return compiled


@lru_cache(maxsize=256)  # each sample has its own matcher, made where all others wait for it
def _check_pattern(pattern: str, name: str) -> None:
    _check_length(pattern, name)
    check_structure(pattern, name)


def _check_length(pattern: str, name: str) -> None:
    if len(pattern) > MAX_PATTERN and _literal_of(pattern) is None:
        raise ConfigError(
            f"{name} has {len(pattern)} characters: must have at most {MAX_PATTERN}, "
            "unless it is a plain text"
        )


def _literal_of(pattern: str) -> str | None:
    """The text that the expression stands for, if it is no more than one: `re.escape` undone."""
    if not LITERAL.fullmatch(pattern):
        return None
    return ESCAPED.sub(lambda match: CONTROLS.get(match[1], match[1]), pattern)
