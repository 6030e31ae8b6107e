"""`foretell eval`: the harness's command line; tests/evaluation/test_harness.py runs it."""

import sys
from types import ModuleType

import pytest


@pytest.fixture
def called(monkeypatch):
    """A harness that notes what it is called with."""
    seen = []
    package, entry = ModuleType("lm_eval"), ModuleType("lm_eval.__main__")
    entry.cli_evaluate = lambda: seen.append(sys.argv)
    monkeypatch.setitem(sys.modules, "lm_eval", package)
    monkeypatch.setitem(sys.modules, "lm_eval.__main__", entry)
    monkeypatch.setitem(sys.modules, "foretell.evaluation.harness", ModuleType("harness"))
    monkeypatch.setattr(sys, "argv", ["foretell"])
    return seen


@pytest.mark.parametrize("words", [["--tasks", "a,b"], ["run", "--tasks", "a,b"]])
def test_its_own_words_go_to_the_harness(shell, called, words):
    opening = ["-m", "model.gguf", "--threads", "2", "--device", "cpu"]
    assert shell.run("eval", *opening, *words, "--num_fewshot", "5", "-L", "3").code == 0
    told = '{"pretrained": "model.gguf", "torch_device": "cpu", "threads": 2}'
    assert called == [
        [
            *("lm-eval", "run", "--model", "foretell", "--model_args", told),
            *("--tasks", "a,b", "--num_fewshot", "5", "-L", "3"),
        ]
    ]


def test_lists_need_no_model(shell, called):
    assert shell.run("eval", "ls", "tasks").code == 0
    assert called == [["lm-eval", "ls", "tasks"]]


def test_without_the_harness_it_says_what_to_install(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    result = shell.run("eval", "--tasks", "a")
    assert (result.code, result.out) == (2, "")
    assert "needs lm-evaluation-harness: run pip install" in result.err
    assert "lm-eval" in result.err
