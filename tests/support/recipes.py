"""Recipes: their blocks are put into a copy of the repository, which is then tested.

A step is a sentence that says where a block goes, and the block: `New file` and a path, or `In` a
path, `before` or `after` a line.
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

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "docs" / "contributing.md"
STEP = re.compile(
    r"^(?:New file|In) `(?P<path>[^`]+)`(?:, (?P<where>before|after) `(?P<line>[^`\n]+)`)?:\n\n"
    r"```\w+\n(?P<block>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """A block, and where it goes: a file of its own, or beside a line of one that is there."""

    path: str
    where: str | None
    line: str | None
    block: str

    def apply(self, root: Path) -> None:
        """Put the block into the copy."""
        path = root / self.path
        if self.line is None:
            assert not path.exists(), self.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.block, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (at,) = (index for index, line in enumerate(lines) if line.strip() == self.line)
        indent = lines[at][: -len(lines[at].lstrip())]
        lines.insert(at + (self.where == "after"), textwrap.indent(self.block, indent))
        path.write_text("".join(lines), encoding="utf-8")


def steps(heading: str) -> list[Step]:
    """The steps of one recipe."""
    _, recipe = CONTRIBUTING.read_text(encoding="utf-8").split(f"\n## {heading}\n")
    return [Step(**match.groupdict()) for match in STEP.finditer(recipe.split("\n## ")[0])]


def copy_repository(root: Path) -> None:
    """Sources, tests and docs, with links to what is compiled: each has a stub beside it."""
    for name in ("src", "tests", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for stub in (root / "src").rglob("_*.pyi"):
        module = ".".join(stub.relative_to(root / "src").with_suffix("").parts)
        compiled = importlib.import_module(module).__file__
        assert compiled is not None
        (stub.parent / Path(compiled).name).symlink_to(compiled)


def run_on_copy(root: Path, *arguments: str) -> str:
    """Run Python on the copy; without `site`, so that an editable install has no say in imports."""
    search = [str(root / "src"), *(path for path in sys.path if path)]
    done = subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search), "COPY": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_tests(root: Path, *paths: str) -> None:
    """Run tests of the copy on the copy, but for those that need a real model."""
    options = ("-q", "-x", "-p", "no:cacheprovider", "-m", "not model")
    run_on_copy(root, "-m", "pytest", *options, *paths)
