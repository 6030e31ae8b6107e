import json
import math

import numpy as np
import pytest
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer

WORDS = {" cat": 0.5, "the": 0.25, "a": 0.125, "b": 0.125}


def script(history):
    row = np.full(VOCAB_SIZE, -60.0, np.float32)
    for word, probability in WORDS.items():
        (token,) = toy_tokenizer().encode(word)
        row[token] = math.log(probability)
    return row


@pytest.fixture(autouse=True)
def model(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "62")
    shell.model(lambda: toy_llm(script))


def test_bars_are_as_long_as_probabilities(shell):
    result = shell.run("next", "the", "--top", "4")
    lines = result.out.splitlines()
    assert result.code == 0
    assert [line.split()[:2] for line in lines[1:4]] == [
        ['"the"', "25.00%"],
        ['"a"', "12.50%"],
        ['"b"', "12.50%"],
    ]
    assert lines[0].startswith('  " cat"  ')
    lengths = [line.count("█") for line in lines[:4]]
    assert lengths[0] == 4 * lengths[2] == 2 * lengths[1] > 20
    assert lines[4] == f"  entropy {1.75 * math.log(2):.2f} nats over {VOCAB_SIZE} tokens"
    assert all(len(line) <= 62 for line in lines)


def test_settings_show_what_they_make_of_it(shell):
    result = shell.run("next", "the", "--top", "3", "--top-k", "2")
    lines = result.out.splitlines()
    assert "50.00% →  66.67%" in lines[0]
    assert "25.00% →  33.33%" in lines[1]
    assert "12.50% →     cut" in lines[2]
    assert "█" not in lines[2]
    assert lines[3].endswith("; 2 left by top_k=2")


@pytest.mark.parametrize("top_k", [None, 2])
def test_a_printed_distribution_is_what_the_command_prints(shell, monkeypatch, top_k):
    monkeypatch.setenv("COLUMNS", "80")
    with toy_llm(script) as llm:
        found = llm.next("the", 3, top_k=top_k)
    told = shell.run("next", "the", "--top", "3", *(["--top-k", "2"] if top_k else [])).out
    assert told == f"{found}\n"
    assert told.startswith('  " cat"   50.00% →' if top_k else '  " cat"   50.00%  ███')
    monkeypatch.setenv("COLUMNS", "62")
    assert str(found) == told.removesuffix("\n")  # of whatever terminal this is
    assert repr(found).startswith("NextDistribution(prompt='the', ")
    assert "\n" not in repr(found)


def test_json_is_the_distribution(shell):
    found = json.loads(shell.run("next", "the", "--json", "--top", "2", "--top-k", "1").out)
    assert [token["token"] for token in found["tokens"]] == [" cat", "the"]
    assert found["tokens"][0]["probability"] == pytest.approx(0.5)
    assert found["tokens"][0]["final_probability"] == 1
    assert found["candidates"] == 1
    assert found["config"] == {"top_k": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["the", "--top", "0"], "top=0 is out of range"),
        (["the", "--seed", "5"], "No such option"),
        (["the", "--num-beams", "3"], "No such option"),
        (["the", "--length-penalty", "3"], "No such option"),
        (["the", "--early-stopping", "on"], "No such option"),
        ([""], "the prompt has no tokens"),
    ],
)
def test_mistakes_are_one_line(shell, arguments, message):
    result = shell.run("next", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_the_prompt_may_come_from_stdin(shell):
    shell.stdin(b"the")
    assert json.loads(shell.run("next", "--json").out)["prompt"] == "the"
