import json
import xml.etree.ElementTree as ET

import pytest
from support.toy import VOCAB_SIZE, toy_llm

from foretell.backends.scripted import improvise

TEXT = "the cat sat on the mat. " * 8
WORDS = ["quality", "f16.gguf", "folder/q8.gguf", "q4.gguf"]


@pytest.fixture(autouse=True)
def asked(shell):
    turns = iter([toy_llm(improvise(VOCAB_SIZE, seed=n), context_length=256) for n in (0, 0, 1)])
    return shell.model(lambda: next(turns))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text"
    path.write_text(TEXT)
    return str(path)


def test_a_model_a_line_below_the_reference(shell, file):
    result = shell.run(*WORDS, "--file", file, "--window", "32")
    heads, *rows = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert heads.split("  ")[-1].strip() == "same top"
    assert [row.split()[0] for row in rows] == ["f16.gguf", "q8.gguf", "q4.gguf"]
    assert "0.00000 ± 0.000000" in rows[1]
    assert rows[1].endswith("100.00 %")


def test_json(shell, file, asked):
    found = json.loads(shell.run(*WORDS, "--file", file, "--window", "32", "--json").out)
    assert found["reference"] == "f16.gguf"
    assert [one["name"] for one in found["models"]] == ["folder/q8.gguf", "q4.gguf"]
    assert found["models"][0]["divergence"]["mean_kld"]["value"] == 0
    assert found["models"][1]["divergence"]["mean_kld"]["value"] > 1
    assert [name for name, _ in asked] == ["f16.gguf", "folder/q8.gguf", "q4.gguf"]


def test_a_plot(shell, file, tmp_path):
    path = tmp_path / "plot.svg"
    assert shell.run(*WORDS, "--file", file, "--window", "32", "--plot", str(path)).code == 0
    root = ET.fromstring(path.read_text())
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"q8.gguf", "q4.gguf", "mean KLD, nats"} <= {*names}
    assert len([*root.iter("{http://www.w3.org/2000/svg}circle")]) == 2
    assert "folder" not in path.read_text()


def test_a_plot_without_a_place_is_refused_before_any_work(shell, file, asked):
    result = shell.run(*WORDS, "--file", file, "--plot", "nowhere/plot.svg")
    assert (result.code, asked) == (2, [])
    assert "must be a file in a folder that exists" in result.err
