"""docs/trials.md and the tests of `tests/trials` name the same."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trials.md").read_text(encoding="utf-8")
FILES = {path.name: path for path in sorted((ROOT / "tests" / "trials").glob("test_*.py"))}
ROW = re.compile(
    r"^\| ([^|]*#[^|]*) \| (?:[^|\\]|\\.)+ \| ([\w ]+) \| `(test_\w+)` \|$", re.MULTILINE
)
REPORT = re.compile(r"[A-Za-z][\w.-]*#\d+")


def test_each_table_names_the_tests_of_its_file() -> None:
    parts = re.split(r"^`tests/trials/(test_\w+\.py)`$", PAGE, flags=re.MULTILINE)[1:]
    named = dict(zip(parts[::2], parts[1::2], strict=True))
    assert sorted(named) == sorted(FILES)
    for name, part in named.items():
        tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
        tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        tests = {one for one in tests if one.startswith("test_")}
        assert {test for *_, test in ROW.findall(part)} == tests, name


def test_each_row_names_reports_and_a_verdict() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) == PAGE.count("| `test_")
    reports = [report for reports, *_ in rows for report in reports.split(", ")]
    assert [report for report in reports if not REPORT.fullmatch(report)] == []
    assert [report for report, times in Counter(reports).items() if times > 1] == []
    assert {verdict for _, verdict, _ in rows} == {"right", "mended", "own way"}
