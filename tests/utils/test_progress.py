"""Where bars are shown, and how they are turned off."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from support.fake_notebook import FakeNotebook
from support.markup import read_html

import foretell
from foretell.utils import progress
from foretell.utils.progress import is_notebook, is_wanted, is_watched, may_show, open_bar


@pytest.fixture(autouse=True)
def _as_at_the_start(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FORETELL_PROGRESS", raising=False)
    monkeypatch.setattr(progress._Choice, "shown", None)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    return


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(asked: bool | None) -> None:
    with open_bar("Working", 3, "texts", asked=asked) as show:
        for done in range(1, 4):
            show(done, f"{done} <b>")


def test_a_notebook_has_a_bar_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = FakeNotebook(monkeypatch, kernel=object())
    run(asked=True)
    (shown,) = notebook.shown
    assert shown == ["Working: 0 of 3 texts"] + [
        f"Working: {done} of 3 texts, {done} <b>" for done in (1, 2, 3)
    ] + [""]
    found = read_html(notebook.pages[0][2])
    assert found.tags == {"div", "progress"}
    assert found.attributes == [("value", "2"), ("max", "3")]
    assert notebook.pages[0][-1] == ""
    assert capsys.readouterr() == ("", "")  # nor a warning that widgets are missing


def test_a_notebooks_bar_that_nobody_asked_for_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = FakeNotebook(monkeypatch, kernel=object())
    run(asked=None)
    assert notebook.shown == []
    monkeypatch.setattr(progress, "DELAY", 0.0)
    run(asked=None)
    assert len(notebook.shown) == 1


def test_a_notebooks_bar_is_not_drawn_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 1000.0)
    notebook = FakeNotebook(monkeypatch, kernel=object())
    run(asked=True)
    assert notebook.shown == [["Working: 0 of 3 texts", ""]]


def test_bytes_are_told_in_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = FakeNotebook(monkeypatch, kernel=object())
    with open_bar("name", 12_300_000, "bytes", asked=True, done=5_000_000):
        pass
    assert notebook.shown[0][0] == "name: 5.0 of 12.3 MB"


def test_a_bar_goes_away_where_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = FakeNotebook(monkeypatch, kernel=object())
    with pytest.raises(ZeroDivisionError), open_bar("Working", 3, "texts", asked=True):
        raise ZeroDivisionError
    assert notebook.shown[0][-1] == ""


def test_a_terminal_has_a_bar_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for asked, is_shown in [(None, False), (False, False), (True, True)]:
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        run(asked)
        assert ("3/3" in terminal.getvalue()) == is_shown
        assert ("Working: 3 <b>" in terminal.getvalue()) == is_shown


@pytest.mark.parametrize("value", ["0", "false", "NO", " off "])
def test_the_environment_turns_bars_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    notebook = FakeNotebook(monkeypatch, kernel=object())
    assert is_wanted(True)
    assert is_watched()
    monkeypatch.setenv("FORETELL_PROGRESS", value)
    assert not is_wanted(True)
    assert not is_watched()
    run(asked=True)
    assert notebook.shown == []
    foretell.set_progress(True)
    assert may_show()


def test_a_call_turns_bars_off() -> None:
    foretell.set_progress(False)
    assert not is_wanted(True)
    foretell.set_progress(True)
    assert is_wanted(True)
    assert not is_wanted(None)  # there is no notebook


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_notebook()
    FakeNotebook(monkeypatch)
    assert not is_notebook()
    FakeNotebook(monkeypatch, kernel=object())
    assert is_notebook()


def test_a_program_without_stderr_has_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert not is_watched()
