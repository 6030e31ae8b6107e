"""The README does not drift: its snippets run, its map is the tree's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from foretell.cli.main import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("foretell ")]


def test_the_python_snippets_run(default_model_path: Path, capsys: pytest.CaptureFixture[str]):
    names: dict[str, Any] = {}  # later snippets go on with earlier ones
    for snippet in blocks("python"):
        exec(compile(snippet, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "GenerationConfig" in printed
    assert "NextToken" in printed
    assert len(names["texts"]) == 3
    assert names["out"].index == 3
    assert names["llm"].stats().running == 0


@pytest.mark.parametrize("line", shell_lines())
def test_each_command_runs(line: str, default_model_path: Path):
    arguments = shlex.split(line)[1:]
    if arguments == ["bench"]:
        arguments += ["--rounds", "1", "--tokens", "8", "--prompt-tokens", "16"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout


def test_each_make_target_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_map_names_what_is_there_and_all_of_the_package():
    tree = README.split("## Where things are", 1)[1].split("```")[1]
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
