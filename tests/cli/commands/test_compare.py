import json
import xml.etree.ElementTree as ET

import pytest
from support.toy import VOCAB_SIZE, toy_llm

from foretell.analysis.compare import DEFAULT_STRATEGIES
from foretell.backends.scripted import improvise
from foretell.cli.commands.compare import read_settings

HOT = "hot:temperature=1.5"


@pytest.fixture(autouse=True)
def model(shell):
    return shell.model(toy_llm)


def without_speed(line):
    return line.split()[:-1]


def test_figures_stand_above_the_texts(shell):
    result = shell.run(
        "compare", "the cat", "--setting", "greedy:", "--setting", HOT, "--max-new-tokens", "9"
    )
    wishes = {"greedy": {}, "hot": {"temperature": 1.5}}
    found = toy_llm().compare("the cat", wishes, max_new_tokens=9)
    lines = result.out.splitlines()
    assert result.code == 0
    assert result.err == ""
    for line, expected in zip(lines[:3], str(found).splitlines(), strict=False):
        assert without_speed(line) == without_speed(expected)
    heads = [line for line in lines if line.startswith("──")]
    reasons = [run.finish_reason for entry in found.results for run in entry.runs]
    places = ["greedy", "hot, seed 0", "hot, seed 1", "hot, seed 2"]
    assert heads == [f"── {p} ({r})" for p, r in zip(places, reasons, strict=True)]
    assert result.out == f"{found}\n"


def test_json_has_all_strategies_of_the_textbook(shell):
    data = json.loads(shell.run("compare", "a", "--max-new-tokens", "3", "--json").out)
    assert [entry["name"] for entry in data["results"]] == list(DEFAULT_STRATEGIES)
    assert {len(entry["runs"]) for entry in data["results"]} == {1, 3}
    assert all(entry["config"]["max_new_tokens"] == 3 for entry in data["results"])


def test_seeds_and_settings_are_passed_on(shell):
    arguments = ["--setting", "x:temperature=1.2,top-k=5,max_new_tokens=2", "--seeds", "2"]
    shell.stdin(b"the cat\n")
    (entry,) = json.loads(shell.run("compare", *arguments, "--json").out)["results"]
    assert entry["config"] == {"temperature": 1.2, "top_k": 5, "max_new_tokens": 2}
    assert [run["seed"] for run in entry["runs"]] == [0, 1]
    for run in entry["runs"]:
        alone = toy_llm().generate(
            "the cat", temperature=1.2, top_k=5, max_new_tokens=2, seed=run["seed"]
        )
        assert run["token_ids"] == alone.token_ids


def test_values_are_json_or_words():
    text = 'a: do_sample=True, stop=["x,y", "z"],preset=chat,seed=None,penalty_scope=3 '
    assert read_settings((text, "b:")) == {
        "a": {
            "do_sample": True,
            "stop": ["x,y", "z"],
            "preset": "chat",
            "seed": None,
            "penalty_scope": 3,
        },
        "b": {},
    }


def test_the_picture_is_written(shell, tmp_path):
    path = tmp_path / "out.svg"
    result = shell.run(
        "compare", "a", "--setting", HOT, "--max-new-tokens", "2", "--plot", str(path)
    )
    assert result.code == 0
    assert ET.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "out.gif"], "the picture 'out.gif' must have a name in .svg or .png"),
        (["--plot", "no/such/out.svg"], "must be a file in a folder that exists"),
        (["--setting", "hot"], "--setting 'hot' must look like NAME:KEY=VALUE,KEY=VALUE"),
        (["--setting", ":top_k=1"], "must look like NAME:KEY=VALUE,KEY=VALUE"),
        (["--setting", "a:top_k"], "'top_k' must look like KEY=VALUE"),
        (["--setting", "a:top_k=1,top-k=2"], "top_k is set twice, must be once"),
        (["--setting", "a:", "--setting", "a:"], "'a' is named twice, must be once"),
        (["--setting", "a:topk=1"], "strategy 'a': unknown setting 'topk': did you mean"),
        (["--setting", "a:top_p=high"], "strategy 'a': top_p='high' must be a number"),
        (["--seeds", "0"], "seeds=0 is out of range"),
        (["--max-new-tokens", "0"], "max_new_tokens=0 is out of range"),
    ],
)
def test_mistakes_are_one_line_before_a_model_is_loaded(shell, model, arguments, message):
    result = shell.run("compare", "a", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert model == []


def test_an_interrupt_ends_it_with_nothing_written(shell, tmp_path):
    calm = improvise(VOCAB_SIZE)

    def script(history):
        if len(history) == 6:
            raise KeyboardInterrupt
        return calm(history)

    shell.model(lambda: toy_llm(script))
    arguments = ["--setting", HOT, "--plot", str(tmp_path / "out.svg")]
    result = shell.run("compare", "a", *arguments)
    assert (result.code, result.out, result.err) == (130, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_takes_no_picture_away(shell, tmp_path, monkeypatch):
    def broken(found, as_json):
        raise BrokenPipeError

    monkeypatch.setattr("foretell.cli.commands.compare._show", broken)
    path = tmp_path / "out.svg"
    shell.run("compare", "a", "--setting", HOT, "--max-new-tokens", "2", "--plot", str(path))
    assert ET.parse(path).getroot().tag.endswith("svg")


def test_a_picture_that_cannot_be_written_takes_no_table_away(shell, tmp_path, monkeypatch):
    def full(found, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("foretell.cli.commands.compare.save_plot", full)
    arguments = ["--setting", HOT, "--max-new-tokens", "2", "--plot", str(tmp_path / "out.svg")]
    result = shell.run("compare", "a", *arguments)
    assert result.code != 0
    assert "── hot, seed 0" in result.out
