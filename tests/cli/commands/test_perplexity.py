import json

import pytest
from support.toy import toy_llm

from foretell.cli import evaluating
from foretell.cli.commands import perplexity as commands
from foretell.evaluation import perplexity, windows

TEXT = "the cat sat on the mat. " * 8


@pytest.fixture(autouse=True)
def asked(shell):
    return shell.model(lambda: toy_llm(context_length=256))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text"
    path.write_text(f"{TEXT}\n")
    return str(path)


def test_the_figure_is_the_functions(shell, file):
    with toy_llm(context_length=256) as llm:
        found = perplexity(llm, TEXT, window=32)
    result = shell.run("perplexity", file, "--window", "32")
    first, second = result.out.splitlines()
    assert result.code == 0
    value, error = found.perplexity.value, found.perplexity.error
    assert first.split() == ["perplexity", f"{value:.4f}", "±", f"{error:.5f}"]
    assert second == (
        f"llama.cpp: {found.num_windows} windows of 32, {found.num_scored} of "
        f"{found.num_tokens} tokens scored"
    )


@pytest.mark.parametrize("convention", ["llama.cpp", "huggingface", "lm-eval"])
def test_json(shell, file, convention):
    words = ["--convention", convention, "--window", "32", "--max-windows", "2"]
    with toy_llm(context_length=256) as llm:
        found = perplexity(llm, TEXT, convention, window=32, max_windows=2)
    assert json.loads(shell.run("perplexity", file, *words, "--json").out) == found.to_dict()


def test_words_and_bytes(shell, file):
    lines = shell.run("perplexity", file, "--convention", "lm-eval").out.splitlines()
    heads = [line.split("  ")[0] for line in lines]
    assert heads[:4] == ["perplexity", "perplexity by word", "perplexity by byte", "bits per byte"]


def test_the_context_is_a_window_of_llama_cpps(shell, file, asked):
    shell.run("perplexity", file, "--window", "32", "--exact", "--threads", "1")
    shell.run("perplexity", file, "--convention", "lm-eval", "--context-length", "64")
    exact = {"activations": "float32", "kv_dtype": "float32"}
    assert [settings for _, settings in asked] == [
        {"context_length": 32, "threads": 1, **exact},
        {"context_length": 64},
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stride", "4"], "stride=4 has no effect: the convention llama.cpp has no stride"),
        (["--window", "300"], "window=300 must be at most the context, 256"),
        (["--window", "128"], "needs at least 256"),
    ],
)
def test_what_the_user_can_mend_exits_with_2(shell, file, words, message):
    result = shell.run("perplexity", file, *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_the_shell_knows_the_conventions_without_importing_them():
    assert commands.CONVENTIONS == windows.CONVENTIONS
    assert evaluating.WINDOW == windows.LLAMA_CPP_WINDOW
