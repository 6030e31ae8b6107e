"""What the parts of a split GGUF model are called: `name-00002-of-00003.gguf`."""

from __future__ import annotations

import re

MAX_PARTS = 1024  # the largest models that are published have a tenth

_PART = re.compile(
    r"(?P<stem>.+)-(?P<number>\d{5})(?P<of>-of-)(?P<count>\d{5})(?P<suffix>\.gguf)",
    re.IGNORECASE | re.DOTALL,
)


def part_names(name: str) -> list[str]:
    """The names of all parts, in order, of the model that a file is a part of by its name.

    They are in upper case where it is. Of a name, or a path, that is no part's, it alone.
    """
    found = _PART.fullmatch(name)
    if found is None or not 1 <= int(found["number"]) <= int(found["count"]) <= MAX_PARTS:
        return [name]
    count = int(found["count"])
    before, of, after = f"{found['stem']}-", found["of"], f"{count:05d}{found['suffix']}"
    return [f"{before}{index:05d}{of}{after}" for index in range(1, count + 1)]


def whole_name(name: str) -> str:
    """The name without which part it is: `name.gguf`."""
    return name if len(part_names(name)) == 1 else _PART.sub(r"\g<stem>\g<suffix>", name)
