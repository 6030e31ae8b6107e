"""`foretell guide`: readable, complete, and without a model."""

from __future__ import annotations

import json

import pytest
from support.toy import toy_llm

from foretell.cli.render import width_of
from foretell.config import RANGES
from foretell.config.presets import PRESETS
from foretell.config.settings import SETTINGS
from foretell.guide.topics import topic_names


@pytest.fixture
def asked(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return shell.model(toy_llm)


def test_the_table_lists_every_setting_and_task(shell, asked):
    result = shell.run("guide")
    lines = result.out.splitlines()
    assert (result.code, result.err, asked) == (0, "", [])
    firsts = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    headers = ["setting"] * firsts.count("setting") + ["preset"]
    every = [*SETTINGS, *PRESETS, "transformers", "vllm", "llama.cpp"]
    assert sorted(firsts) == sorted(every + headers)
    assert "  temperature           ≥ 0        0.1 to 2.0     deterministic" in result.out
    assert "  top_k                 ≥ 0        1 to 100       safe, plain → varied" in lines
    assert "  top_p                 0 to 1     0.1 to 1.0     focused → varied" in lines
    code = next(line for line in lines if line.startswith("  code "))
    assert code.endswith("  0.2 to 0.4  temperature=0.3, top_p=0.9")
    assert max(map(width_of, lines)) <= 80


@pytest.mark.parametrize("topic", topic_names())
def test_every_topic_has_a_page_that_fits(shell, asked, topic):
    result = shell.run("guide", topic)
    assert (result.code, result.err, asked) == (0, "", [])
    assert result.out.startswith(f"{topic}: ")
    assert max(map(width_of, result.out.splitlines())) <= 80


def test_bars_that_have_no_room_stand_below(shell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = shell.run("guide", "dry_multiplier").out.splitlines()
    assert "dry_multiplierdry_multiplier" not in "".join(lines)
    bars = [line for line in lines if "█" in line]
    assert all(len(line) <= 40 for line in bars)
    assert [line.split()[0] for line in bars].count("mat") == 3


def test_a_setting_is_explained_with_bars(shell, asked):
    lines = shell.run("guide", "top-k").out.splitlines()
    assert "  option        --top-k" in lines
    assert "  formula       keep x ≥ the k-th largest x" in lines
    mat, sofa = (next(line for line in lines if line.startswith(f"  {w}")) for w in ("mat", "sofa"))
    assert [part for part in mat.split() if "%" in part] == ["30.0%", "100.0%", "46.2%"]
    assert sofa.split().count("cut") == 2
    bars = [part.count("█") for part in mat.split() if "%" not in part][1:]
    assert bars[1] > bars[2] > bars[0]


def test_json_agrees_with_what_is_enforced(shell, asked):
    found = json.loads(shell.run("guide", "--json").out)
    settings = {setting["name"]: setting for setting in found["settings"]}
    assert set(settings) == set(SETTINGS)
    for name, span in RANGES.items():
        assert settings[name]["useful"] == (None if span.useful is None else list(span.useful))
    assert {task["name"]: task["settings"] for task in found["tasks"]} == {
        name: preset.settings for name, preset in PRESETS.items()
    }
    assert [dialect["ties"] for dialect in found["dialects"]] == ["keep", "keep", "cut"]


def test_json_of_one_topic_has_its_example(shell, asked):
    found = json.loads(shell.run("guide", "temperature", "--json").out)
    assert found["kind"] == "setting"
    assert found["low"] == 0
    assert found["high"] is None
    assert [column["settings"]["temperature"] for column in found["example"]["after"]] == [
        0.2,
        1,
        2,
    ]
    assert found["example"]["before"]["mat"] == 0.3
    assert json.loads(shell.run("guide", "greedy", "--json").out)["example"] is None


def test_an_unknown_topic_is_one_line(shell, asked):
    result = shell.run("guide", "tempreature")
    assert result.code == 2
    assert result.out == ""
    assert result.err == (
        "foretell: error: 'tempreature' is not in the guide: did you mean 'temperature'?\n"
    )
