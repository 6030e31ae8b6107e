import json

import pytest
from support.toy import toy_llm


@pytest.fixture(autouse=True)
def model(shell):
    shell.model(toy_llm)


def test_the_table_is_the_score(shell):
    score = toy_llm().score("the cat\n")
    result = shell.run("score", "the cat\n")
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split() == ["token", "logprob", "P", "rank"]
    assert lines[1].split() == ['"the"', "-"]
    for line, token in zip(lines[2:4], score.tokens[1:], strict=True):
        assert f"{token.logprob:.3f}" in line
        assert line.split()[-1] == str(token.rank)
    assert lines[2].startswith('  " cat"')
    assert lines[3].startswith('  "\\n"')
    assert lines[4].split() == ["sum", f"{score.logprob:.3f}"]
    assert lines[5] == f"  perplexity {score.perplexity:.2f} over 2 tokens"


def test_alternatives_stand_below(shell):
    score = toy_llm().score("ab", top=2)
    lines = shell.run("score", "ab", "--top", "2").out.splitlines()
    assert len(lines) == 1 + 2 + 2 + 2
    assert [line.split()[-1] for line in lines[3:5]] == ["1", "2"]
    assert f"{score.tokens[1].top[0].logprob:.3f}" in lines[3]


@pytest.mark.parametrize("top", [0, 2])
def test_a_printed_score_is_what_the_command_prints(shell, top):
    score = toy_llm().score("the cat\n", top=top)
    assert f"{score}\n" == shell.run("score", "the cat\n", "--top", str(top)).out
    assert repr(score).startswith("Score(text='the cat\\n', tokens=[3 × TokenLogprob], ")


def test_json_is_the_score(shell):
    found = json.loads(shell.run("score", "ab", "--json").out)
    score = toy_llm().score("ab")
    assert found["logprob"] == score.logprob
    assert found["perplexity"] == score.perplexity
    assert [token["token"] for token in found["tokens"]] == ["a", "b"]


def test_the_text_may_come_from_stdin_or_a_file(shell, tmp_path):
    shell.stdin(b"ab\n")
    from_stdin = shell.run("score").out
    path = tmp_path / "text"
    path.write_bytes(b"ab\n")
    assert shell.run("score", "--file", str(path)).out == from_stdin == shell.run("score", "ab").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "text='a' makes one token: scoring needs at least two"),
        ([""], "the prompt has no tokens"),
        (["ab", "--top", "-1"], "top=-1 is out of range"),
    ],
)
def test_mistakes_are_one_line(shell, arguments, message):
    result = shell.run("score", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
