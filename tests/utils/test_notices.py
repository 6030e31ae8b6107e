"""The library prints nothing: what there is to say goes to a logger."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import foretell
from foretell.cli.notices import notices_as_lines
from foretell.utils.notices import caution, tell

PACKAGE = Path(foretell.__file__).parent
MAY_PRINT = {
    PACKAGE / "server" / "log.py",  # a program's own log, as `foretell serve` asks for it
    PACKAGE / "text" / "chat" / "template_worker.py",  # a process of its own, read by its parent
    PACKAGE / "utils" / "progress.py",  # bars
}


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tell("something")
    caution("more")
    assert capsys.readouterr() == ("", "")


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "foretell")
    tell("100% of it")
    caution("more")
    records = [(one.name, one.levelname, one.getMessage()) for one in caplog.records]
    assert records == [("foretell", "INFO", "100% of it"), ("foretell", "WARNING", "more")]


def test_the_command_line_shows_notices(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("foretell")
    before = (logger.level, list(logger.handlers))
    with notices_as_lines():
        tell("something")
    tell("silence")
    assert capsys.readouterr() == ("", "foretell: something\n")
    assert (logger.level, logger.handlers) == before


@pytest.mark.parametrize(
    "path",
    [one for one in PACKAGE.rglob("*.py") if "cli" not in one.parts and one not in MAY_PRINT],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_file_of_the_library_prints(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Name) and node.id == "print")
        if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr"):
            assert not (isinstance(node.value, ast.Name) and node.value.id == "sys")
