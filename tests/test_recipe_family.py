"""The recipe for a family, docs/contributing-family.md, followed to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recipes import copy_repository, run_tests, steps


def test_a_recipe_is_all_that_it_takes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    recipe = steps("contributing-family.md", "A family")
    assert len({step.path for step in recipe}) <= 4
    copy_repository(tmp_path)
    for step in recipe:
        step.apply(tmp_path)
    architectures = "tests/backends/native/architectures"
    run_tests(tmp_path, "tests/recipes/family.py", f"{architectures}/test_smollm3.py")
    run_tests(tmp_path, f"{architectures}/test_families.py")
