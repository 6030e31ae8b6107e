"""docs/chapter.md does not drift: its snippets run, and print what stands under them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.chapter_code import save_tiny_gpt2
from support.documents import Snippet, commands, printed_by, snippets, tidy

CHAPTER = Path(__file__).parents[2] / "docs" / "chapter.md"
SECTIONS = 10


def test_the_python_snippets_print_what_stands_under_them(
    default_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_tiny_gpt2(tmp_path / "gpt2")
    save_tiny_gpt2(tmp_path / "openai-community" / "gpt2")
    monkeypatch.chdir(tmp_path)  # where these two are what the page calls them
    names: dict[str, Any] = {}  # later snippets go on with earlier ones
    for snippet in snippets(CHAPTER, "python"):
        printed = tidy(printed_by(snippet, names))
        if snippet.output is not None:
            assert printed == snippet.output, snippet.place


@pytest.mark.parametrize("snippet", snippets(CHAPTER, "sh"), ids=lambda snippet: snippet.place)
def test_the_commands_print_what_stands_under_them(snippet: Snippet, default_model_path: Path):
    assert commands(snippet)
    assert tidy(printed_by(snippet, {})) == snippet.output


def test_all_sections_of_the_chapter_are_there_in_order():
    headings = re.findall(r"^## (\d+)\. \S", CHAPTER.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [str(number) for number in range(1, SECTIONS + 1)]


def test_each_snippet_has_an_output():
    assert [one.place for one in snippets(CHAPTER) if not one.output] == []


def test_the_files_it_names_exist():
    root = CHAPTER.parents[1]
    text = CHAPTER.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:tests|docs|benchmarks|decoding)/[\w./]*)`", text):
        assert (root / name).exists() or (root / "src" / "foretell" / name).exists(), name
