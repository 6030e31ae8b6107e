"""`foretell playground` as a process: it serves, opens a browser, and says where it cannot."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

import click
import pytest
from support.toy_process import Served, served

from foretell.cli.commands import playground, serve
from foretell.cli.serving import browser
from foretell.server.options import ServerOptions

NONE = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}


@pytest.fixture
def fake_browser(tmp_path: Path) -> tuple[Path, Path]:
    """A program that writes down which address it is to show, and that file."""
    program, shown = tmp_path / "browser", tmp_path / "shown"
    program.write_text(f'#!/bin/sh\necho "$1" > {shown}.part\nmv {shown}.part {shown}\n')
    program.chmod(0o755)
    return program, shown


def page_of(one: Served) -> str:
    with one.client() as client:
        answer = client.get("/")
    assert answer.status_code == 200
    return answer.text


def test_it_serves_and_opens_the_browser(fake_browser):
    program, shown = fake_browser
    with served("toy", command="playground", BROWSER=str(program)) as one:
        said = one.read_until("in a browser")
        assert f"{one.url}/" in said
        assert one.url.startswith("http://127.0.0.1:")
        assert "<title>foretell</title>" in page_of(one)
        one.signal()
        assert one.ended() == 0
    assert shown.read_text() == f"{one.url}/\n"
    assert "no browser" not in "".join(one.lines)


def test_where_there_is_no_browser_it_says_so_and_goes_on(tmp_path):
    with served("toy", command="playground", **NONE, PATH=str(tmp_path)) as one:
        assert f"open {one.url}/ in yours" in one.read_until("no browser")
        assert "<title>foretell</title>" in page_of(one)


def test_a_browser_that_fails_is_none():
    with served("toy", command="playground", BROWSER="/no/such/browser") as one:
        assert f"open {one.url}/ in yours" in one.read_until("no browser")


def test_none_is_opened_where_none_is_wanted(fake_browser):
    program, shown = fake_browser
    with served("toy", "--no-browser", command="playground", BROWSER=str(program)) as one:
        page_of(one)
        one.signal()
        assert one.ended() == 0
    assert not shown.exists()


def test_a_browser_of_text_does_not_take_the_terminal(monkeypatch, caplog):
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    with caplog.at_level("INFO", "foretell.server"):
        browser._show("http://127.0.0.1:1/", ServerOptions())
    assert "no browser could be opened here: open http://127.0.0.1:1/ in yours" in caplog.text


def test_its_options_are_those_of_serve():
    def options(command: click.Command) -> dict[str, click.Option]:
        found = [one for one in command.params if isinstance(one, click.Option)]
        return {one.opts[0]: one for one in found}

    own, others = options(playground.command), options(serve.command)
    assert set(own) - set(others) == {"--browser"}
    for name in own.keys() - {"--browser", "--port"}:
        assert own[name].to_info_dict() == others[name].to_info_dict()


def test_its_options_reach_the_server_and_the_model(shell, monkeypatch):
    given: list[Any] = []
    monkeypatch.setattr(playground, "start", lambda *those: given.append(those))
    options = ("--preset", "chat", "--max-new-tokens", "9", "--threads", "2", "--no-browser")
    assert shell.run("playground", "org/name:f.gguf", *options).code == 0
    model, server, listeners, opened = given[0]
    listeners.close()
    assert (model.name, model.settings) == ("org/name:f.gguf", {"threads": 2})
    assert (server.defaults, server.max_new_tokens) == ({"preset": "chat"}, 9)
    assert server.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert opened is None


def test_the_model_is_told_once(shell):
    result = shell.run("playground", "one", "--model", "two")
    assert result.code == 2
    assert "give MODEL or --model, not both" in result.err


def test_what_is_missing_is_named_with_how_to_install_it(shell, monkeypatch):
    monkeypatch.setattr("foretell.cli.serving.start.NEEDED", ("no_such_package",))
    result = shell.run("playground")
    assert result.code != 0
    assert "foretell playground needs no_such_package: run pip install" in result.err
