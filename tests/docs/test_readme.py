"""The README does not drift: its snippets run, its map is the tree's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.documents import commands, printed_by, run_command, snippets

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXTRAS = {"eval", "grammar", "plot", "ray", "serve", "transformers"}
LINES = [line for snippet in snippets(README, "sh") for line in commands(snippet)]


def test_the_python_snippets_run(default_model_path: Path):
    names: dict[str, Any] = {}  # later snippets go on with earlier ones
    printed = "".join(printed_by(snippet, names) for snippet in snippets(README, "python"))
    assert "GenerationConfig" in printed
    assert "nats over 49152 tokens" in printed
    assert len(names["texts"]) == 3
    assert names["out"].index == 3
    assert names["ids"].shape == (1, 14)
    assert names["llm"].stats().running == 0


@pytest.mark.parametrize("arguments", LINES, ids=" ".join)
def test_each_command_runs(arguments: list[str], default_model_path: Path):
    short = ["--rounds", "1", "--tokens", "8", "--prompt-tokens", "16"]
    assert run_command([*arguments, *(short if arguments == ["bench"] else [])])


def test_each_make_target_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z]+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_map_names_what_is_there_and_all_of_the_package():
    tree = TEXT.split("## Where things are", 1)[1].split("```")[1]
    indented = set(re.findall(r"^  ([a-z_]+(?:\.py|/)) ", tree, re.MULTILINE))
    package = ROOT / "src" / "foretell"
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in package.iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("_")
    }
    assert indented == there
    for top in re.findall(r"^([a-z]+/) ", tree, re.MULTILINE):
        assert (ROOT / top).is_dir(), top


def test_each_extra_that_is_to_be_installed_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"\[([a-z,]+)\]['\"]", TEXT)
    assert {extra for names in named for extra in names.split(",")} == EXTRAS
    assert set(project["optional-dependencies"]) >= EXTRAS
    assert "foretell[" not in TEXT  # no index has it
