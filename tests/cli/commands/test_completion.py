"""Completion: what a shell is told, and what it is told to ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import pytest


def completed(*words: str) -> list[str]:
    """What the last of these words may become; words before it stand as they are."""
    asked = {
        "_FORETELL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("foretell", *words)),
        "COMP_CWORD": str(len(words)),
    }
    shown = subprocess.check_output(
        [sys.executable, "-m", "foretell"], text=True, env={**os.environ, **asked}
    )
    return shown.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["alt"], ["plain,alternatives"]),
        (["generate", "--max-new"], ["plain,--max-new-tokens"]),
        (["generate", "--model", "smol"], ["plain,smollm2-135m-instruct"]),
        (["generate", "--model", "./no"], ["file,./no"]),
        (["generate", "--preset", "cr"], ["plain,creative"]),
        (["generate", "--preset", "=", "cr"], ["plain,creative"]),
        (["generate", "--preset=cr"], ["plain,creative"]),
        (["generate", "--preset", "=", "code", "--model", "=", "gemma"], ["plain,gemma-3-270m"]),
        (["guide", "top_"], ["plain,top_h", "plain,top_k", "plain,top_n_sigma", "plain,top_p"]),
        (["guide", "top-k"], ["plain,top_k"]),
        (["guide", "llama"], ["plain,llama.cpp"]),
        (["models", "pull", "gemma"], ["plain,gemma-3-270m"]),
        (["completion", "z"], ["plain,zsh"]),
    ],
)
def test_words_are_completed(words: list[str], expected: list[str], fake_home: None) -> None:
    assert completed(*words) == expected


@pytest.fixture
def fake_home(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORETELL_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_after_the_sign_of_an_option_its_values_are_listed(fake_home: None) -> None:
    assert completed("generate", "--preset", "=") == completed("generate", "--preset=")
    assert "plain,creative" in completed("generate", "--preset", "=")


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_scripts_ask_foretell(shell: Any, name: str) -> None:
    result = shell.run("completion", name)
    assert (result.code, result.err) == (0, "")
    assert f"_FORETELL_COMPLETE={name}_complete" in result.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_the_script(shell: Any) -> None:
    script = shell.run("completion", "bash").out
    program = f"{script}\ncomplete -p foretell"
    shown = subprocess.check_output(["bash", "-c", program], text=True)
    assert "_foretell_completion" in shown


def test_an_unknown_shell_is_refused(shell: Any) -> None:
    result = shell.run("completion", "tcsh")
    assert (result.code, result.out) == (2, "")
    assert "'tcsh' is not one of" in result.err
