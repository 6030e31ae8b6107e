"""The frame of the command line: help, errors, pipes, signals."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from support.fake_hub import FakeHub

import foretell
from foretell.cli import commands, main
from foretell.errors import ConfigError, DownloadError, ForetellError

FORETELL = (sys.executable, "-m", "foretell")


@pytest.fixture(autouse=True)
def _restored_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_request:
        main.run(arguments)
    assert isinstance(exit_request.value.code, int)
    return exit_request.value.code


def run_process(*command: str, stdout: Any = None) -> subprocess.CompletedProcess[str]:
    """Run a command whose stdout Python buffers, as it does for most users."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        command, check=False, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment
    )


def run_raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def invoke(arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr(main, "_invoke", invoke)
    return run()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"foretell {foretell.__version__}\n"


def test_the_frame_imports_nothing_heavy() -> None:
    program = (
        "import sys, foretell.cli.main\n"
        "heavy = {'numpy', 'rich', 'tokenizers', 'filelock', 'torch', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert shown == "[]\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_shows_commands_and_examples(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 0
    shown = capsys.readouterr().out
    assert 'foretell generate "The cat sat on the"' in shown
    assert "models  " in shown


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in main.cli.list_commands(click.Context(main.cli)):
        assert run(name, "--help") == 0
        assert f"foretell {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [(), ("models", "--help")])
def test_no_summary_is_cut(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(*arguments) == 0
    summaries = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    assert len(summaries) > 5
    assert not [summary for summary in summaries if summary.endswith("...")]


def test_a_file_is_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("zip", "cut"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    names = main.cli.list_commands(click.Context(main.cli))
    first, others = names[: len(main.HELP_ORDER)], names[len(main.HELP_ORDER) :]
    assert tuple(first) == main.HELP_ORDER
    assert {"cut", "zip"} <= set(others)
    assert others == sorted(others)


def test_the_order_of_help_names_commands_that_are_there() -> None:
    assert set(main.HELP_ORDER) <= set(main.cli.list_commands(click.Context(main.cli)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("modles",), "no command is called 'modles': did you mean 'models'?"),
        (("xyzzy",), "no command is called 'xyzzy': there are "),
        (("pull", "x"), "no command is called 'pull': foretell models pull NAME fetches a model"),
        (("models", "rm", "x"), "no command is called 'rm': here it is 'remove'"),
        (("models", "lsit"), "no command is called 'lsit': did you mean 'list'?"),
        (("models", "xyzzy"), "no command is called 'xyzzy': there are list, path, "),
        (("--xyzzy",), "--xyzzy"),
        (("--model", "x", "generate"), "'--model': options stand after the command"),
        (("--versoin",), "did you mean --version?"),
        (("-v",), "--version tells the version"),
        (("-V",), "--version tells the version"),
        (("chat", "-p", "hi"), "foretell chat takes no prompt: messages are typed, or come from"),
        (("chat", "-ngl", "3"), "No such option '-ngl': there are no GPU layers here"),
        (("chat", "-sys", "be kind"), "here it is called --system"),
        (("score", "a", "-ngl", "3"), "there are no GPU layers here"),
        (("guide", "--top-p"), "foretell guide top_p explains it"),
        (("guide", "--temp"), "foretell guide temperature explains it"),
        (("models", "--model", "x"), "No such option '--model'"),
        (("models", "pull"), "(see `foretell models pull --help`)"),
        (("models", "pull", "smolm2-135m-instruct"), "did you mean 'smollm2-135m-instruct'"),
    ],
)
def test_misuse_is_one_line_on_stderr(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) != 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("foretell: error: ")
    assert said.err.count("\n") == 1
    assert message in said.err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ForetellError("two\nlines"), 1, "foretell: error: two lines\n"),
        (ConfigError("top_p=2 is out of range"), 2, "foretell: error: top_p=2 is out of range\n"),
        (DownloadError("no network"), 1, "foretell: error: no network\n"),
        (click.UsageError("wrong"), 2, "foretell: error: wrong\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, ""),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "foretell: error: the output cannot be written: No space left on device\n",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "prompt.txt"),
            1,
            "foretell: error: prompt.txt: No such file or directory\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_become_a_line_and_an_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_raising(error, monkeypatch) == code
    assert capsys.readouterr() == ("", message)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(arguments: list[str]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main, "_invoke", invoke)
    with pytest.raises(ZeroDivisionError):
        main.run([])


PRINT_ONLY = """
from foretell.cli import main
main.cli.callback = lambda: print("text that waits in a buffer")
main.run([])
"""
COMMANDS = pytest.mark.parametrize(
    "command",
    [(*FORETELL, "models"), (sys.executable, "-c", PRINT_ONLY)],
    ids=["flushed", "buffered"],
)


@COMMANDS
def test_a_closed_pipe_ends_silently(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run_process(*command, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@COMMANDS
def test_a_full_disk_under_stdout_is_told(command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = run_process(*command, stdout=full)
    expected = "foretell: error: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor before exec")
@pytest.mark.parametrize("arguments", [("--version",), ("models",), ("guide", "top_k", "--json")])
def test_a_closed_stdout_is_told(arguments: tuple[str, ...]) -> None:
    done = run_process("sh", "-c", 'exec "$@" >&-', "sh", *FORETELL, *arguments)
    expected = "foretell: error: the output cannot be written: Bad file descriptor\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_a_poor_terminal_gets_question_marks(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.publish(b"a model", description="모델")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    process = fake_hub.start("models")
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == "  ??"


@pytest.mark.parametrize(
    ("environment", "color"),
    [({}, None), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, None), ({"TERM": "dumb"}, False)],
)
def test_colours_can_be_refused(
    environment: dict[str, str], color: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    probe = click.Command("probe", callback=lambda: seen.append(click.get_current_context().color))
    monkeypatch.setattr(main.cli, "get_command", lambda context, name: probe)
    assert run("models") == 0
    assert seen == [color]
