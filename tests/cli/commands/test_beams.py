import json
import xml.etree.ElementTree as ET

import pytest
from support.toy import toy_llm
from support.toy_beam_search import script

from foretell.utils.display import width_of


@pytest.fixture(autouse=True)
def _searching(shell):
    shell.model(lambda: toy_llm(script))


def test_a_tree_of_five_beams_and_five_steps(shell):
    result = shell.run("beams", "xyz", "--ignore-eos")
    assert result.code == 0
    blocks = result.out.rstrip("\n").split("\n\n")
    assert blocks[0] == '"xyz"'
    assert [block.splitlines()[0].split(",")[0] for block in blocks[1:-1]] == [
        "step 0: 1 live beam",
        *(f"step {number}: 5 live beams" for number in range(1, 5)),
    ]
    assert blocks[1].count("kept as beam") == 5
    assert blocks[-1].splitlines()[0] == "the search ended: no continuation goes on"
    assert len(blocks[-1].splitlines()) == 3 + 5
    assert result.err == "5 steps (max_new_tokens=5, ignore_eos=True, num_beams=5)\n"


@pytest.mark.parametrize("columns", [40, 57, 80, 99, 200])
def test_no_line_is_wider_than_the_terminal(shell, columns):
    shell.terminal(columns=columns)
    result = shell.run("beams", "xyz " * 20, "-n", "2", "--stop", "ab")
    assert result.code == 0
    assert max(map(width_of, result.out.splitlines())) <= columns
    assert "kept as beam 4" in result.out
    assert "max_new_tokens" in result.out


def test_the_tree_is_drawn_to_a_file(shell, tmp_path):
    path = tmp_path / "tree.svg"
    result = shell.run("beams", "xyz", "--plot", str(path))
    assert result.code == 0
    texts = [one.text for one in ET.parse(path).iter() if one.tag.endswith("text")]
    assert any("xyz" in (text or "") for text in texts)
    assert "step 0" in result.out


def test_a_picture_that_cannot_be_is_refused_before_the_model(shell, tmp_path):
    asked = shell.model(lambda: toy_llm(script))
    result = shell.run("beams", "xyz", "--plot", str(tmp_path / "tree.pdf"))
    assert (result.code, asked) == (2, [])
    assert "must have a name in .svg or .png" in result.err


def test_json_is_one_object_and_settings_are_heard(shell):
    stated = ("--num-beams", "4", "--max-new-tokens", "2", "-n", "2", "--length-penalty", "0.5")
    result = shell.run("beams", "xyz", *stated, "--json")
    data = json.loads(result.out)
    assert data["config"] == {
        "num_beams": 4,
        "max_new_tokens": 2,
        "num_return_sequences": 2,
        "length_penalty": 0.5,
    }
    assert [len(step["beams"]) for step in data["steps"]] == [1, 4]
    texts = [output["text"] for output in data["outputs"]]
    assert texts == [one["text"] for one in data["hypotheses"][:2]]
    with toy_llm(script) as llm:
        assert data == {
            **llm.beams("xyz", num_beams=4, max_new_tokens=2, length_penalty=0.5).to_dict(),
            "outputs": data["outputs"],
            "config": data["config"],
        }


def test_a_drawn_tree_tells_its_seed(shell):
    first = shell.run("beams", "xyz", "--do-sample", "--max-new-tokens", "1")
    assert "not drawn" in first.out
    assert first.err.startswith("1 step (do_sample=True, ")
    seed = first.err.partition("seed=")[2].partition(",")[0]
    again = shell.run("beams", "xyz", "--do-sample", "--max-new-tokens", "1", "--seed", seed)
    assert (again.out, again.err) == (first.out, first.err)


def test_a_length_of_ones_own(shell):
    result = shell.run("beams", "xyz", "--max-length", "10", "--json", "--ignore-eos")
    assert len(json.loads(result.out)["steps"]) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["xyz", "--num-beams", "1"], "num_beams=1 searches no tree: must be at least 2"),
        (["xyz", "--num-beams", "2", "-n", "3"], "num_return_sequences=3 is above num_beams=2"),
        (["xyz", "--trace"], "No such option"),
        ([""], "the prompt has no tokens"),
    ],
)
def test_mistakes_are_one_line(shell, arguments, message):
    result = shell.run("beams", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_one_beam_is_refused_before_a_model_is_loaded(shell):
    asked = shell.model(lambda: toy_llm(script))
    shell.run("beams", "xyz", "--num-beams", "1")
    assert asked == []


def test_progress_is_shown_on_a_terminal(shell):
    shell.terminal()
    assert "Searching" in shell.run("beams", "xyz").err
