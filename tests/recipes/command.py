"""The recipe's command, `foretell tokens`, at work; `test_recipes.py` runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import foretell
from foretell.cli.main import HELP_ORDER, cli


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", "-m", "foretell", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_copy_is_what_is_tested() -> None:
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


def test_it_stands_after_the_known_ones() -> None:
    assert cli.list_commands(click.Context(cli)) == [*HELP_ORDER, "tokens"]
    shown = run("--help").stdout
    assert re.search(
        r"^  tokens +Show the tokens of the text PROMPT, and their ids.$", shown, re.MULTILINE
    )
    assert "did you mean 'tokens'?" in run("token").stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["a", "--file", "b"], 2),
        (["a", "--xyzzy"], 2),
        (["a", "--model", "no-such-model"], 1),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = run("tokens", *arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == (code != 0)


def test_others_do_not_import_it() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from foretell.cli.main import cli\n"
        "CliRunner().invoke(cli, ['--version'])\n"
        "print([name for name in sys.modules if name.startswith('foretell.cli.commands.')])"
    )
    command = [sys.executable, "-S", "-c", program]
    assert subprocess.check_output(command, text=True) == "[]\n"
