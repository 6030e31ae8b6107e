import dataclasses

from support.toy import toy_llm

from foretell.backends.base import BackendInfo
from foretell.cli.commands import demo
from foretell.outputs import Usage

INFO = BackendInfo("toy", "a toy", 10, 10, 1, 1, 1, weight_bytes=100_000_000)
USAGE = Usage(prompt_tokens=5, completion_tokens=101, time_to_first_token=0.1, decode_seconds=0.5)


def test_it_shows_bars_writes_and_ends_with_the_speed(shell, monkeypatch):
    shell.model(toy_llm)
    monkeypatch.setattr("foretell.cli.measure.measure_bandwidth", lambda threads: 40e9)
    result = shell.run("demo")
    lines = result.out.splitlines()
    expected = toy_llm().generate(demo.PROMPT, demo.SETTINGS)
    assert result.code == 0
    assert result.err == ""
    assert "What follows “The cat sat on the”?" in lines
    assert sum("█" in line for line in lines) == 10
    assert demo.PROMPT + expected.text in result.out
    assert "tokens/s, " in lines[-1]


def test_the_speed_line_has_all_four_figures():
    line = demo.speed_line(USAGE, INFO, 40e9)
    assert line == "200.0 tokens/s, 5.00 ms/token, 20.0 GB/s, 50% of this machine's 40.0 GB/s"


def test_the_speed_line_says_what_it_knows():
    unknown = dataclasses.replace(INFO, weight_bytes=0)
    assert demo.speed_line(USAGE, unknown, 40e9) == "200.0 tokens/s, 5.00 ms/token"
    one = dataclasses.replace(USAGE, completion_tokens=1)
    assert demo.speed_line(one, INFO, 40e9) == "too few tokens to measure a speed"
