"""What the library says, in one line."""

from __future__ import annotations

import re

MAX_MESSAGE = 200


def plain_message(error: object) -> str:
    """A message without positions in what the library made of a source, and without its drawing."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if not lines:
        return ""
    reasons = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    text = re.sub(r"^(at )?\d+\(\d+\): ", "", lines[0]).rstrip(":")
    told = f"{text}: {reasons[0]}" if reasons else text
    return told if len(told) <= MAX_MESSAGE else f"{told[:MAX_MESSAGE]}…"
