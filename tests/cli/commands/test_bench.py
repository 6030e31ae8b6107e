import json

import pytest
from support.toy import toy_llm, toy_tokenizer

from foretell.cli.commands.bench import PROMPT
from foretell.cli.measure import hash_logits

SMALL = ("--tokens", "8", "--prompt-tokens", "20", "--rounds", "2")


@pytest.fixture(autouse=True)
def asked(shell, monkeypatch):
    """Commands run a toy model, on a machine that reads 50 GB/s."""
    monkeypatch.setattr("foretell.cli.measure.measure_bandwidth", lambda threads: 50e9)
    return shell.model(toy_llm)


def test_the_last_line_is_one_json_object(shell, asked):
    result = shell.run("bench", "--model", "m.gguf", "--threads", "2", *SMALL)
    assert result.code == 0
    assert result.out.count("\n") == 1
    report = json.loads(result.out)
    assert asked == [("m.gguf", {"threads": 2})]
    assert (report["model"], report["tokens"], report["prompt_tokens"]) == ("m.gguf", 8, 20)
    assert report["rounds"] == 2
    assert report["description"] == toy_llm().info.description
    for name in ("prefill", "decode"):
        speed = report[f"{name}_tokens_per_second"]
        assert 0 < speed["min"] <= speed["median"] <= speed["max"]
    assert report["time_to_first_token_seconds"]["min"] > 0
    assert report["bandwidth_bytes_per_second"] == 50e9
    assert report["bytes_per_token"] == report["bandwidth_share"] == 0


def test_the_hash_is_that_of_the_logits_of_a_fixed_prompt(shell):
    first, again = (json.loads(shell.run("bench", *SMALL).out) for _ in range(2))
    wanted = hash_logits(toy_llm().backend, toy_tokenizer().encode(PROMPT))
    assert first["logits_sha256"] == again["logits_sha256"] == wanted


def test_the_table_goes_to_stderr(shell):
    err = shell.run("bench", *SMALL).err
    for name in ("decode", "prefill", "time to first token", "peak memory", "logits"):
        assert name in err
    assert "this machine gives 50.0 GB/s" in err


def test_a_prompt_that_does_not_fit(shell):
    result = shell.run("bench", "--prompt-tokens", "100000")
    assert result.code == 2
    assert result.err.startswith("foretell: error: a prompt of 100000 tokens")
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_a_narrow_terminal_has_the_figures_alone(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    shown = shell.run("bench", *SMALL).err
    assert all(len(line) <= 40 for line in shown.splitlines())
    assert " tokens/s" in shown
    assert "ms a token" not in shown


def test_help_says_what_the_numbers_count(shell):
    shown = shell.run("bench", "--help").out
    assert "INTEGER RANGE" not in shown
    assert "Tokens to decode in a round." in shown


@pytest.mark.parametrize(
    "arguments",
    [("--tokens", "1"), ("--prompt-tokens", "0"), ("--rounds", "0"), ("--rounds", "x"), ("more",)],
)
def test_bad_options_are_refused(shell, arguments):
    result = shell.run("bench", *arguments)
    assert result.code == 2
    assert result.err.startswith("foretell: error: ")
    assert result.err.count("\n") == 1


def test_help_has_examples(shell):
    result = shell.run("bench", "--help")
    assert result.code == 0
    assert "foretell bench --threads 1" in result.out


def test_the_default_model(shell, monkeypatch, default_model_path):
    """One true run; only the speed's sign is certain."""
    monkeypatch.undo()
    result = shell.run(
        "bench", "--model", str(default_model_path), "--threads", "1", "--tokens", "4",
        "--prompt-tokens", "8", "--rounds", "1",
    )  # fmt: skip
    report = json.loads(result.out)
    assert result.code == 0
    assert report["threads"] == 1
    assert 80e6 < report["bytes_per_token"] < 110e6
    assert report["bandwidth_share"] > 0
    assert len(report["logits_sha256"]) == 64
