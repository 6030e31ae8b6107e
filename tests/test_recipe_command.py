"""The recipe for a command, docs/contributing-command.md, followed to the letter."""

from __future__ import annotations

from pathlib import Path

from support.recipes import copy_repository, run_tests, steps


def test_a_recipe_is_all_that_it_takes(tmp_path: Path) -> None:
    recipe = steps("contributing-command.md", "A command")
    assert len(recipe) == 2
    copy_repository(tmp_path)
    for step in recipe:
        step.apply(tmp_path)
    run_tests(tmp_path, "tests/recipes/command.py", "tests/cli/commands/test_tokens.py")
    run_tests(tmp_path, "tests/cli/test_main.py")
