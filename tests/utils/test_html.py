"""What views have in common: legible colours, shades told apart, safe and valid markup."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from support.markup import read_html

from foretell.utils.html import (
    BOUNDS,
    DARK,
    LEGEND,
    LIGHT,
    MAX_DETAILED,
    RULES,
    TokenView,
    bar,
    details,
    flow,
    frame,
    level_of,
    plain_flow,
    style_sheet,
    table,
)

HOSTILE = '<script>alert("1")</script>&\'\n\t \x1b[2J\u202e'
SHADES = [f"shade{level}" for level in range(5)]
BOTH = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2: 1 to 21."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # known to fail AA
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)  # known to pass


@BOTH
def test_text_is_legible(colours: dict[str, str]) -> None:
    for shade in SHADES:
        assert contrast(colours["text"], colours[shade]) >= 4.5, shade
    assert contrast(colours["text"], colours["page"]) >= 7
    assert contrast(colours["quiet"], colours["page"]) >= 4.5
    assert contrast(colours["accent"], colours["page"]) >= 3  # bars, outlines: WCAG 1.4.11


@BOTH
def test_shades_are_told_apart(colours: dict[str, str]) -> None:
    steps = [contrast(colours[one], colours[next_one]) for one, next_one in pairwise(SHADES)]
    assert min(steps) >= 1.15
    assert colours["shade0"] == colours["page"]


def test_shades_are_told_apart_without_colours() -> None:
    lines = re.findall(r"\.ft-l\d\{[^}]*border-bottom:([^}]*)\}", RULES)
    assert len(set(lines)) == len(SHADES)


def test_every_colour_of_the_rules_is_in_both_palettes() -> None:
    assert LIGHT.keys() == DARK.keys() == set(re.findall(r"var\(--ft-(\w+)\)", RULES))
    assert re.findall(r"#[0-9a-f]{3,6}\b", RULES) == []  # else a page might be dark on dark


def test_a_view_knows_dark_pages_by_what_they_say() -> None:
    sheet = style_sheet()
    assert "@media(prefers-color-scheme:dark)" in sheet
    for page in ('[data-jp-theme-light="false"]', ".vscode-dark", "html[theme=dark]"):
        assert f"{page} .foretell" in sheet
    assert "<" not in sheet


@pytest.mark.parametrize(
    ("probability", "level"), [(0, 0), (0.0099, 0), (0.01, 1), (0.1, 2), (0.5, 3), (0.9, 4), (1, 4)]
)
def test_levels(probability: float, level: int) -> None:
    assert level_of(probability) == level
    assert len(LEGEND) == len(BOUNDS) + 1


def token(text: str | bytes, probability: float = 0.5, **fields: object) -> TokenView:
    data = text if isinstance(text, bytes) else text.encode()
    return TokenView(data, probability, {"rank": "3"}, **fields)  # type: ignore[arg-type]


def hostile_view() -> str:
    others = [("a", "b"), (HOSTILE, HOSTILE)]
    tokens = [token(HOSTILE, story=HOSTILE, others=others), token("b")]
    rows = [(HOSTILE, bar(0.5)), ("x", HOSTILE)]
    parts = (flow(HOSTILE, tokens), plain_flow(HOSTILE, HOSTILE), table(("a", "b"), rows))
    return frame(*parts, details(HOSTILE, "<p>x</p>"), notes=[HOSTILE])


def test_hostile_text_is_no_markup() -> None:
    found = read_html(hostile_view())
    assert "script" not in found.tags
    assert {name for name, _ in found.attributes} == {"class", "style", "tabindex", "scope"}
    told = found.text + "".join(found.details)
    assert told.count('<script>alert("1")</script>&') == 8 + 3
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_several_views_may_be_on_one_page() -> None:
    found = read_html(hostile_view() * 2)
    assert "id" not in {name for name, _ in found.attributes}
    assert {"input", "a", "button"}.isdisjoint(found.tags)


def test_details_open_on_hover_focus_and_touch_and_are_hidden_without_a_style_sheet() -> None:
    found = read_html(flow("", [token("cat", story="Why.")]))
    assert ("tabindex", "0") in found.attributes  # a touch gives it the focus
    assert ("style", "display:none") in found.attributes
    assert found.details == ['"cat"rank 3Why.']
    for state in (":hover", ":focus", ":focus-within"):
        assert f"[tabindex]{state}>.ft-card" in RULES
    assert RULES.count("display:block!important") == 2


def test_text_wraps_and_is_copied_as_it_is() -> None:
    found = read_html(flow("A b\n", [token(" cat"), token("\n"), token("\tx")]))
    assert found.text.startswith("A b\n cat\n\tx")
    assert "white-space:pre-wrap" in RULES
    assert "overflow-wrap:anywhere" in RULES


def test_pieces_of_a_character_stand_beside_it() -> None:
    data = "고".encode()
    pieces = [token(data[:1]), token(data[1:2]), token(data[2:])]
    found = read_html(flow("", [token("a"), *pieces, token("b")]))
    assert found.text.startswith("a고<EA><B3><A0>b")
    assert len(found.details) == 5


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        ([b"\xea\xb3"], "<EA B3>"),  # cut within the character
        ([b"\xea", b"a"], "<EA>a"),
        ([b"\x80", "고".encode()], "<80>고"),
        ([b"\xff", b"\xff"], "<FF><FF>"),
        ([b" \xea", b"\xb3\xa0"], " 고 <EA><B3 A0>"),
        ([b"", b"a"], "a"),
    ],
)
def test_pieces_that_make_no_character_show_as_bytes(tokens: list[bytes], shown: str) -> None:
    assert read_html(flow("", [token(data) for data in tokens])).text.startswith(f"{shown}prob")


def test_a_long_view_has_details_of_its_first_tokens() -> None:
    found = read_html(flow("", [token("a")] * (MAX_DETAILED + 5)))
    assert len(found.details) == MAX_DETAILED
    assert found.text.startswith("a" * (MAX_DETAILED + 5))
    assert "Only the first 1,000 tokens have figures." in found.text
