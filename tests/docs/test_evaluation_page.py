"""The page on evaluation: its snippets run, and its commands and conventions are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.documents import printed_by, snippets

from foretell.cli.main import cli
from foretell.evaluation.windows import CONVENTIONS

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = re.findall(r"^foretell (\w+) (.*?)(?:  #.*)?$", TEXT, re.MULTILINE)


def test_the_python_snippets_run(default_model_path: Path) -> None:
    names: dict[str, Any] = {}
    printed = "".join(printed_by(snippet, names) for snippet in snippets(PAGE, "python"))
    names["llm"].close()
    assert "lm-eval: " in printed
    assert printed.startswith(" mat -")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_option_of_a_command_is_there(command: tuple[str, str]) -> None:
    name, words = command
    found = cli.get_command(cli.make_context("foretell", [], resilient_parsing=True), name)
    assert found is not None
    if name != "eval":  # whose other options are the harness's
        known = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", f" {words}")) <= known


def test_the_table_has_the_conventions() -> None:
    (table,) = re.findall(r"^\| `--convention` .*\n\|[-|:]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert re.findall(r"^\| ([\w.-]+) \|", table, re.MULTILINE) == [*CONVENTIONS]
