"""`foretell alternatives`: what could stand at a position, and where it leads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.toy import toy_llm


@pytest.fixture(autouse=True)
def _toy(shell: Any) -> None:
    shell.model(toy_llm)


@pytest.mark.parametrize("wishes", [{}, {"position": 1, "top": 3, "max_new_tokens": 4}])
def test_the_shell_shows_what_python_does(shell: Any, wishes: dict[str, int]) -> None:
    flags = [part for name in wishes for part in (f"--{name}".replace("_", "-"), str(wishes[name]))]
    with toy_llm() as llm:
        expected = llm.alternatives("the cat", **wishes)
    result = shell.run("alternatives", "the cat", *flags)
    assert (result.code, result.out, result.err) == (0, f"{expected}\n", "")
    found = json.loads(shell.run("alternatives", "the cat", *flags, "--json").out)
    assert found == json.loads(json.dumps(expected.to_dict()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["the", "--position", "9"], "position 9 is out of range"),
        (["the", "--top", "0"], "top=0 is out of range"),
        (["the", "--max-new-tokens", "0"], "an integer ≥ 1 (tokens of each continuation)"),
        ([""], "the prompt has no tokens"),
    ],
)
def test_mistakes_are_one_line(shell: Any, arguments: list[str], message: str) -> None:
    result = shell.run("alternatives", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1
