import json

import pytest
from support.toy import VOCAB_SIZE, reciting_llm, toy_llm

ARGUMENTS = ("explain", "the", "--temperature", "0.8", "--top-k", "5", "--seed", "3")


@pytest.fixture
def improvising(shell):
    shell.model(toy_llm)


def test_a_table_a_token(shell, improvising):
    result = shell.run(*ARGUMENTS)
    assert result.code == 0
    blocks = result.out.rstrip("\n").split("\n\n")
    assert 1 <= len(blocks) <= 5
    for index, block in enumerate(blocks):
        lines = block.splitlines()
        assert lines[0].startswith(f"{index}: ")
        assert [line.split()[0] for line in lines[1:]] == ["stage", "raw", "temperature", "top_k"]
        assert lines[-1].split()[2] == "5"
    assert "seed=3" in result.err


def test_five_tokens_unless_said_otherwise(shell):
    shell.model(lambda: reciting_llm("the cat sat on the mat"))
    assert len(json.loads(shell.run("explain", "the", "--json").out)["steps"]) == 5
    result = shell.run("explain", "the", "--json", "--max-new-tokens", "2")
    assert len(json.loads(result.out)["steps"]) == 2


def test_the_summary_has_no_setting_that_nobody_set(shell):
    shell.model(lambda: reciting_llm("the cat sat"))
    assert shell.run("explain", "the").err == "5 tokens (max_new_tokens=5)\n"
    result = shell.run("explain", "the", "--max-new-tokens", "1", "--logprobs", "2")
    assert result.err == "1 token (max_new_tokens=1, logprobs=2)\n"


def test_progress_is_shown_on_a_terminal_and_leaves_the_table_alone(shell, improvising):
    quiet = shell.run(*ARGUMENTS)
    shell.terminal(columns=100)
    watched = shell.run(*ARGUMENTS)
    assert watched.out == quiet.out
    assert "Generating" in watched.err
    assert "Generating" not in quiet.err


def test_help_is_grouped_and_tells_what_is_in_force(shell):
    shown = shell.run("explain", "--help").out
    assert "\nUsual settings:\n" in shown
    assert "Tokens to generate at most.  [default: 5]" in shown
    for name in ("--trace", "--num-beams", "--num-return-sequences", "--prompt-logprobs"):
        assert name not in shown


def test_one_token_is_one(shell):
    assert shell.run("explain", "the", "--max-new-tokens", "1").err.startswith("1 token (")


def test_one_token_in_sentences(shell):
    result = shell.run("explain", "the", "--token", "1")
    assert result.out.startswith("1: ")
    assert f"rank 1 of {VOCAB_SIZE}" in result.out
    data = json.loads(shell.run("explain", "the", "--token", "1", "--json").out)
    assert data["why"] in result.out
    assert data["chosen"]["rank"] == 1


def test_a_narrow_terminal_is_not_overrun(shell):
    arguments = ("explain", "the", "--token", "0", "--temperature", "0.9", "--seed", "3")
    wide = shell.run(*arguments).out
    shell.terminal(columns=40)
    narrow = shell.run(*arguments).out
    assert all(len(line) <= 40 for line in narrow.splitlines()[1:])
    sentences = wide.splitlines()[-1].split()
    assert narrow.split()[-len(sentences) :] == sentences


def test_a_page_is_written_wholly(shell, improvising, tmp_path):
    target = tmp_path / "why.html"
    result = shell.run(*ARGUMENTS, "--html", str(target))
    assert (result.code, result.out) == (0, "")
    assert target.read_text(encoding="utf-8").endswith("</html>\n")
    assert [path.name for path in tmp_path.iterdir()] == ["why.html"]


def test_a_page_that_cannot_be_written_leaves_nothing(shell, improvising, tmp_path, monkeypatch):
    target = tmp_path / "why.html"
    target.write_text("old")

    def refuse(explanation):
        raise OSError(28, "No space left on device", "why.html")

    monkeypatch.setattr("foretell.analysis.html.page", refuse)
    result = shell.run(*ARGUMENTS, "--html", str(target))
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_page_that_cannot_be_written_is_told_before_the_work(shell, tmp_path, monkeypatch):
    shell.model(lambda: pytest.fail("a model is loaded"))
    monkeypatch.setattr("os.access", lambda *_: False)
    result = shell.run(*ARGUMENTS, "--html", str(tmp_path / "why.html"))
    assert "its folder takes no files" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["the", "--token", "9", "--max-new-tokens", "1"],
            "token 9 is out of range: must be 0, there is one alone",
        ),
        (["the", "--token", "9"], "token 9 is out of range: must be 0 to 4"),
        (["the", "--html", "nowhere/why.html"], "must be a file in a folder that exists"),
        (["the", "--top-k", "-3"], "top_k=-3"),
        ([""], "the prompt has no tokens"),
    ],
)
def test_mistakes_are_one_line(shell, arguments, message):
    shell.model(lambda: reciting_llm("the cat sat on the mat"))
    result = shell.run("explain", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
