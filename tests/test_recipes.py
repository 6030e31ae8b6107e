"""The recipes of docs/contributing.md, executed on a copy of the package.

A step is a sentence that says where a block goes, and the block: `New file` and a path, or `In` a
path, `before` or `after` a line. What a recipe adds is looked for by the file of its name in
`recipes/`, by the test that the recipe itself has, and by tests that walk all settings.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / "docs" / "contributing.md"
STEP = re.compile(
    r"^(?:New file|In) `(?P<path>[^`]+)`(?:, (?P<where>before|after) `(?P<line>[^`\n]+)`)?:\n\n"
    r"```\w+\n(?P<block>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
WALK_ALL_SETTINGS = (
    "tests/config/test_config.py",
    "tests/guide/test_guide.py",
    "tests/cli/test_options.py",
)


@dataclass(frozen=True)
class Step:
    """A block, and where it goes: a file of its own, or beside a line of one that is there."""

    path: str
    where: str | None
    line: str | None
    block: str

    def apply(self, root: Path) -> None:
        path = root / self.path
        if self.line is None:
            assert not path.exists(), self.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.block, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (place,) = (index for index, line in enumerate(lines) if line.strip() == self.line)
        indent = lines[place][: -len(lines[place].lstrip())]
        lines.insert(place + (self.where == "after"), textwrap.indent(self.block, indent))
        path.write_text("".join(lines), encoding="utf-8")


def steps(heading: str) -> list[Step]:
    """The steps of one recipe."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    _, recipe = text.split(f"\n## {heading}\n")
    return [Step(**match.groupdict()) for match in STEP.finditer(recipe.split("\n## ")[0])]


def copy_package(root: Path) -> None:
    """The package's sources, with links to what is compiled: by the stubs that lie beside them."""
    source = ROOT / "src"
    shutil.copytree(source / "foretell", root / "src" / "foretell")
    for stub in source.rglob("_*.pyi"):
        place = stub.relative_to(source)
        compiled = importlib.import_module(".".join(place.with_suffix("").parts)).__file__
        assert compiled is not None
        (root / "src" / place.parent / Path(compiled).name).symlink_to(compiled)


def run_tests(root: Path, *paths: str | Path) -> None:
    """Run tests on the copy. Without `site`, an editable install has no say in what is imported."""
    search = [str(root / "src"), *(path for path in sys.path if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search), "COPY": str(root)}
    command = [sys.executable, "-S", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x"]
    done = subprocess.run(
        [*command, f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", *paths],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("heading", "at_work"),
    [("A sampler", "tests/recipes/sampler.py"), ("A setting", "tests/recipes/setting.py")],
)
def test_a_recipe_is_all_that_it_takes(heading: str, at_work: str, tmp_path: Path):
    copy_package(tmp_path)
    recipe = steps(heading)
    for step in recipe:
        step.apply(tmp_path)
    touched = {step.path for step in recipe}
    assert len(touched) <= 4
    (own_test,) = (path for path in touched if path.startswith("tests/"))
    run_tests(tmp_path, at_work, tmp_path / own_test)
    run_tests(tmp_path, *WALK_ALL_SETTINGS)


def test_every_block_is_a_step():
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert len(STEP.findall(text)) == len(re.findall(r"^```\w+$", text, re.MULTILINE))
