"""Thoughts are told from what is said, however the text is cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from foretell.text.reasoning import ReasoningReader


def read(text: str, starts_inside: bool, cuts: Sequence[int] = ()) -> tuple[str, str]:
    reader = ReasoningReader(starts_inside=starts_inside)
    ends = [*cuts, len(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    parts = [part for piece in pieces for part in reader.feed(piece)] + reader.finish()
    thought = "".join(part.text for part in parts if part.is_reasoning)
    return thought, "".join(part.text for part in parts if not part.is_reasoning)


@pytest.mark.parametrize(
    ("text", "starts_inside", "thought", "said"),
    [
        (
            "<think>\nhm  hm\n</think>\n\nHello </think> you\n",
            False,
            "hm  hm",
            "Hello </think> you\n",
        ),
        ("\nhm\n</think>\n\nHello", True, "hm", "Hello"),
        ("<think>\n\n</think>\n\nHello", False, "", "Hello"),
        ("<think> for ever </thi", False, "for ever </thi", ""),
        ("<think>", False, "", ""),
        ("for ever", True, "for ever", ""),
        ("Hello <think>you</think>", False, "", "Hello <think>you</think>"),
        ("<thinking>", False, "", "<thinking>"),
        ("  Hello\n", False, "", "  Hello\n"),
        ("<thi", False, "", "<thi"),
        ("", False, "", ""),
    ],
)
def test_thoughts_are_told_apart(text: str, starts_inside: bool, thought: str, said: str) -> None:
    assert read(text, starts_inside) == (thought, said)
    assert read(text, starts_inside, range(len(text))) == (thought, said)
    for cut in range(len(text)):
        assert read(text, starts_inside, [cut]) == (thought, said)
