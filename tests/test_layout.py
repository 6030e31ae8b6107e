"""How the tests are laid out: they mirror the package, and a whole run leaves none out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import clients, markers

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGE = ROOT / "src" / "foretell"
APART = {"support", "docs", "recipes", "trials"}  # recipes/: what docs/ adds to a copy
CLIENTS = Path("server", "clients")  # clients of the server: no part of the package
FILES = sorted(TESTS.rglob("*.py"))


def folder_of(path: Path) -> Path:
    return path.parent.relative_to(TESTS)


def test_each_folder_has_its_twin_in_the_package():
    folders = {folder_of(path) for path in FILES}
    folders = {one for one in folders - {CLIENTS} if one.parts and one.parts[0] not in APART}
    assert len(folders) > 10
    assert [str(one) for one in folders if not (PACKAGE / one).is_dir()] == []


def test_helpers_are_in_one_place():
    others = [one for one in FILES if folder_of(one).parts[:1] not in [("support",), ("recipes",)]]
    strays = [one for one in others if not one.name.startswith("test_")]
    assert [str(one) for one in strays if one.name != "conftest.py"] == []


def test_the_benchmarks_know_nothing_of_the_tests():
    for path in (ROOT / "benchmarks").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert {name.split(".")[0] for name in names}.isdisjoint({"tests", "support"}), path


def test_a_whole_run_leaves_no_file_out(request: pytest.FixtureRequest):
    config = request.config
    if config.option.markexpr or config.option.keyword or config.args != config.getini("testpaths"):
        pytest.skip("not a whole run")
    run = {item.path for item in request.session.items}
    apart = {TESTS / CLIENTS / name for name in clients.HEAVY}
    assert run == {path for path in FILES if path.name.startswith("test_")} - apart


def test_the_quick_half_reads_no_file_that_imports_torch():
    assert markers.imports_torch(TESTS / "hf_generate" / "test_sampling.py")  # at its top
    assert markers.imports_torch(TESTS / "engine" / "test_promise.py")  # through a helper
    assert not markers.imports_torch(TESTS / "test_llm.py")  # in some of its tests only
    for path in FILES:
        assert path.name != "conftest.py" or not markers.imports_torch(path), path
