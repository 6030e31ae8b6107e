"""docs/chapter.md and its Korean twin do not drift: the snippets print what stands under them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.chapter_code import save_tiny_gpt2
from support.documents import Snippet, commands, printed_by, snippets, tidy

DOCS = Path(__file__).parents[2] / "docs"
CHAPTER = DOCS / "chapter.md"
KOREAN = DOCS / "chapter.ko.md"
SECTIONS = 11
both = pytest.mark.parametrize("page", [CHAPTER, KOREAN], ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


@both
def test_the_python_snippets_print_what_stands_under_them(
    page: Path, default_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_tiny_gpt2(tmp_path / "gpt2")
    save_tiny_gpt2(tmp_path / "openai-community" / "gpt2")
    monkeypatch.chdir(tmp_path)  # where these two are what the page calls them
    names: dict[str, Any] = {}  # later snippets go on with earlier ones
    for snippet in snippets(page, "python"):
        printed = tidy(printed_by(snippet, names))
        if snippet.output is not None:
            assert printed == snippet.output, snippet.place


@pytest.mark.parametrize(
    "snippet",
    [*snippets(CHAPTER, "sh"), *snippets(KOREAN, "sh")],
    ids=lambda snippet: snippet.place,
)
def test_the_commands_print_what_stands_under_them(snippet: Snippet, default_model_path: Path):
    assert commands(snippet)
    assert tidy(printed_by(snippet, {})) == snippet.output


@both
def test_all_sections_of_the_chapter_are_there_in_order(page: Path):
    headings = re.findall(r"^## (\d+)\. \S", text_of(page), re.MULTILINE)
    assert headings == [str(number) for number in range(1, SECTIONS + 1)]


@both
def test_each_snippet_has_an_output(page: Path):
    assert [one.place for one in snippets(page) if not one.output] == []


@both
def test_the_files_it_names_exist(page: Path):
    root = DOCS.parent
    for name in re.findall(r"`((?:tests|docs|benchmarks|decoding)/[\w./]*)`", text_of(page)):
        assert (root / name).exists() or (root / "src" / "foretell" / name).exists(), name


def test_both_pages_have_the_same_snippets_tables_and_links():
    assert len(snippets(CHAPTER)) > 20
    for what in (
        lambda page: [(one.language, one.code, one.output) for one in snippets(page)],
        lambda page: [len(h) for h in re.findall(r"^(#+) ", prose_of(page), re.MULTILINE)],
        lambda page: [
            re.findall(r"\d[\d.,]*", row)
            for row in re.findall(r"^\| [\d,]+ \|.*$", prose_of(page), re.MULTILINE)
        ],
    ):
        assert what(KOREAN) == what(CHAPTER)
    assert "(chapter.ko.md)" in text_of(CHAPTER)
    assert "(chapter.md)" in text_of(KOREAN)


def test_the_sentences_are_formal_korean():
    sentences = re.findall(r"[가-힣]+(?=\.(?:\s|$))", prose_of(KOREAN), re.MULTILINE)
    assert len(sentences) > 80
    assert [word for word in sentences if not word.endswith(("니다", "십시오"))] == []
