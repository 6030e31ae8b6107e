"""The program's beginning: a signal while it imports."""

from __future__ import annotations

import operator
import signal
import subprocess
import sys

import pytest

from foretell.cli.interrupts import ExitsAtOnce

PROGRAM = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.Signals[sys.argv[2]])

from foretell.cli.entry import run
sys.meta_path.insert(0, Interrupts())
run(["generate", "the cat", "--model", "no-such.gguf"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is another thing there")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize(
    "module",
    ["click", "foretell.cli.main", "foretell.cli.commands.generate", "foretell.llm", "numpy"],
)
def test_a_signal_while_modules_are_imported_exits_quietly(
    module: str, name: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, name], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_what_was_there_is_restored() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with ExitsAtOnce():
        assert all(map(operator.is_not, map(signal.getsignal, numbers), before))
    assert [signal.getsignal(number) for number in numbers] == before


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ExitsAtOnce():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


PACKAGE = """
import sys
before = set(sys.modules)
import foretell
print(*set(sys.modules) - before)
"""


def test_the_package_itself_imports_little() -> None:
    shown = subprocess.check_output([sys.executable, "-c", PACKAGE], text=True)
    assert not {"typing", "click", "numpy", "dataclasses", "inspect"} & set(shown.split())
