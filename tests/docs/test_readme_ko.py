"""README.ko.md keeps in step with README.md: the same snippets, figures, links and map.

The snippets themselves run in `test_readme.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from support.documents import snippets

ROOT = Path(__file__).parents[2]
ENGLISH = ROOT / "README.md"
KOREAN = ROOT / "README.ko.md"
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    """The text without its fenced blocks."""
    return FENCED.sub("", text_of(path))


def parts(path: Path) -> list[str]:
    """What stands under each heading, the beginning first."""
    return re.split(r"^##+ .*$", prose_of(path), flags=re.MULTILINE)


def test_the_snippets_are_the_same_and_in_the_same_order():
    english, korean = ([(one.language, one.code) for one in snippets(p)] for p in (ENGLISH, KOREAN))
    assert len(english) >= 5
    assert korean == english


def test_the_snippets_stand_under_the_same_headings():
    def shape(path: Path) -> list[str]:
        return re.findall(r"^(?:#+(?= )|```\w+)", text_of(path), re.MULTILINE)

    assert shape(KOREAN) == shape(ENGLISH)


def test_the_map_names_the_same_things():
    def names(path: Path) -> list[str]:
        tree = FENCED.findall(text_of(path))[-1]
        return re.findall(r"^(?:  )?([a-z_/]+(?:\.py|/))(?= |$)", tree, re.MULTILINE)

    assert len(names(ENGLISH)) > 20
    assert names(KOREAN) == names(ENGLISH)


def test_the_tables_have_the_same_figures():
    def figures(path: Path) -> list[list[str]]:
        rows = re.findall(r"^\|.*\|$", text_of(path), re.MULTILINE)
        return [re.findall(r"\d[\d.,e-]*", row) for row in rows]

    assert len(figures(ENGLISH)) > 8
    assert figures(KOREAN) == figures(ENGLISH)


@pytest.mark.parametrize("place", range(len(parts(ENGLISH))))
def test_each_part_speaks_of_the_same_code_and_links(place: int):
    def spoken(path: Path) -> Counter[str]:
        part = re.sub(r"\s+", " ", parts(path)[place])
        part = part.replace("docs/chapter.ko.md", "docs/chapter.md")  # to each in its language
        return Counter(re.findall(r"`[^`]+`|(?<=\]\()[^)]+", part))

    links = {"README.md", "README.ko.md"}
    english, korean = (
        {name: n for name, n in spoken(p).items() if name not in links} for p in (ENGLISH, KOREAN)
    )
    assert korean == english


def test_each_links_to_the_other():
    assert "(README.ko.md)" in text_of(ENGLISH)
    assert "(README.md)" in text_of(KOREAN)


def test_its_sentences_are_formal_korean():
    sentences = re.findall(r"[가-힣]+(?=\.(?:\s|$))", prose_of(KOREAN), re.MULTILINE)
    assert len(sentences) > 20
    assert [word for word in sentences if not word.endswith(("니다", "십시오"))] == []
