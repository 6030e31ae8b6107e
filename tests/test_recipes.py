"""The recipes of docs/contributing.md, executed on a copy of the repository.

What a recipe adds is looked for by the file of its name in `recipes/`, by the test that the recipe
itself has, and by tests that walk all of its kind.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.recipes import CONTRIBUTING, ROOT, STEP, copy_repository, run_on_copy, run_tests, steps

WALK_ALL_SETTINGS = (
    "tests/test_public_surface.py",
    "tests/config/test_config.py",
    "tests/guide/test_guide.py",
    "tests/cli/test_options.py",
)
RECIPES = {
    "A sampler": ("tests/recipes/sampler.py", *WALK_ALL_SETTINGS),
    "A setting": ("tests/recipes/setting.py", *WALK_ALL_SETTINGS),
    "A strategy": (
        "tests/recipes/strategy.py",
        "tests/decoding/test_strategies.py",
        "tests/engine/test_runs.py",
    ),
    "A syntax of calls": (
        "tests/recipes/call_syntax.py",
        "tests/text/tools",
        "tests/test_tools.py",
    ),
    "A drafter": (
        "tests/recipes/drafter.py",
        "tests/decoding/drafts",
        "tests/loading/test_options.py",
    ),
    "A family": (
        "tests/recipes/family.py",
        "tests/backends/native/architectures/test_families.py",
    ),
    "A command": (
        "tests/recipes/command.py",
        "tests/cli/test_main.py",
        "tests/test_public_surface.py",
    ),
    "A field of a request": ("tests/recipes/field.py", "tests/server/test_openapi.py"),
}
"""By their headings, the tests that see what they add at work."""

MYPY = str(ROOT / ".mypy_cache")
MARKS = {"A family": pytest.mark.torch}


@pytest.mark.parametrize(
    "heading", [pytest.param(heading, marks=MARKS.get(heading, ())) for heading in RECIPES]
)
def test_a_recipe_is_all_that_it_takes(heading: str, tmp_path: Path):
    copy_repository(tmp_path)
    recipe = steps(heading)
    for step in recipe:
        step.apply(tmp_path)
    touched = {step.path for step in recipe}
    assert len(touched) <= 4
    (own_test,) = (path for path in touched if path.startswith("tests/"))
    run_tests(tmp_path, own_test, *RECIPES[heading])


def test_what_recipes_add_passes_the_checks(tmp_path: Path):
    pytest.importorskip("mypy")  # of the extra `dev`
    copy_repository(tmp_path)
    touched = set()
    for heading in RECIPES:
        for step in steps(heading):
            step.apply(tmp_path)
            touched.add(step.path)
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "--cache-dir", MYPY]):
        files = [] if tool[0] == "mypy" else sorted(touched)
        run_on_copy(tmp_path, "-m", *tool, *files)


def test_every_recipe_is_executed():
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == list(RECIPES)


def test_every_block_is_a_step():
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert len(STEP.findall(text)) == len(re.findall(r"^```\w+$", text, re.MULTILINE))
