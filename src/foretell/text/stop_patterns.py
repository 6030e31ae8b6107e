"""What is refused in a regular expression before it is compiled.

Compiling writes out what `{n}` repeats, so that a pattern of 30 characters can take all memory, and
a call of a group, which Python's `re` doesn't have, takes 700 MB before it fails. The parts are
told apart by the rules of the `regex` package; what would make these depend on the place in the
pattern is refused as well.
"""

from __future__ import annotations

import re

from foretell.errors import ConfigError

MAX_NESTING = 100  # groups in one another; the parser would reach Python's limit near 300
MAX_WRITTEN_OUT = 1 << 16  # characters; they compile in 0.1 s and 20 MB
BEYOND = 10**9  # characters; nobody counts further

_ESCAPE = r"\\."
_CLASS = r"\[:\^?[\w &./-]*(?:[:=][\w &./-]*)?:\]"
_SET = (
    rf"\[\^?\]?(?:{_ESCAPE}|{_CLASS}|[^\]\\])*(?:\]|\\?\Z)"  # what lacks its end is refused later
)
_COMMENT = rf"\(\?\#(?:{_ESCAPE}|[^)\\])*(?:\)|\\?\Z)"
ATOM = re.compile(rf"(?s)(?P<silent>{_COMMENT})|{_ESCAPE}|{_SET}")
ATOM_VERBOSE = re.compile(rf"(?s)(?P<silent>{_COMMENT}|\s|\#[^\n]*)|{_ESCAPE}|{_SET}")
"""What is one part of a pattern, and what is none, with the flag `x` and without."""

FIRST_FLAGS = re.compile(r"(?:\(\?(?!R\))[a-zA-Z]+\))*")
FLAGS = re.compile(r"\(\?(?!R\))[a-zA-Z]*(?:-[a-zA-Z]+)?\)")
LATE_FLAGS = re.compile(r"\(\?([a-zA-Z01-]*)[:)]")
CALL = re.compile(r"\(\?(?:R|[+-]?[0-9]|&|P>)")
FUZZY_TEST = re.compile(r"\{[0-9deis<=+, ]*:[()]")
PARTS = re.compile(r"(?s)\{([0-9]+)(?:,[0-9]*)?\}|.")


def check_structure(pattern: str, name: str) -> None:
    """Raise ConfigError for a pattern that costs too much before anything is searched.

    Args:
        pattern: a regular expression.
        name: what to call it.
    """
    first_flags = FIRST_FLAGS.match(pattern)
    num_first = first_flags.end() if first_flags else 0
    atom = ATOM_VERBOSE if "x" in pattern[:num_first] else ATOM
    bare = atom.sub(lambda match: "" if match["silent"] is not None else "a", pattern[num_first:])
    depth = _nesting(bare)
    if depth > MAX_NESTING:
        raise ConfigError(
            f"{name} has {depth} groups in one another: must have at most {MAX_NESTING}"
        )
    if call := CALL.search(bare):
        raise ConfigError(f"{name} has {call.group()}: must not call a group, or itself")
    if odd := _late_flags(bare) or FUZZY_TEST.search(bare):
        raise ConfigError(
            f"{name} has {odd.group()}: must have the flag x at its beginning or not at all, no "
            "flag V1, and no parenthesis as a fuzzy test"
        )
    size = _size_written_out(FLAGS.sub("", bare))
    if size > max(MAX_WRITTEN_OUT, len(pattern)):
        raise ConfigError(
            f"{name} has {'over ' if size == BEYOND else ''}{size} characters once what it repeats "
            f"is written out: must have at most {MAX_WRITTEN_OUT}"
        )


def _late_flags(bare: str) -> re.Match[str] | None:
    """Flags that change how the pattern is read, behind its beginning."""
    found = LATE_FLAGS.finditer(bare)
    return next((match for match in found if "x" in match[1] or "V1" in match[1]), None)


def _nesting(bare: str) -> int:
    """How deep groups lie in one another; escapes, sets and comments were taken out."""
    depth = deepest = 0
    for char in bare:
        depth = max(0, depth + (char == "(") - (char == ")"))
        deepest = max(deepest, depth)
    return deepest


def _size_written_out(bare: str) -> int:
    """Characters of a pattern in which each part stands as often as it must occur."""
    sizes = [0]  # of the groups that are open, the whole pattern first
    last = 0  # of the part before, which a quantifier repeats
    for part in PARTS.finditer(bare):
        if part[1] is not None:
            times = int(part[1]) if len(part[1]) < 10 else BEYOND
            sizes[-1] = min(BEYOND, sizes[-1] + last * max(0, times - 1))
        elif part[0] == "(":
            sizes.append(0)
        elif part[0] == ")" and len(sizes) > 1:
            last = sizes.pop() + 1
            sizes[-1] += last
        else:
            last = 1
            sizes[-1] += 1
    return min(BEYOND, sum(sizes))
