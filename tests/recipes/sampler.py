"""The recipe's sampler, top-a, at work wherever samplers are; `test_recipes.py` runs it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.toy import VOCAB_SIZE, toy_llm

import foretell
from foretell import LLM, ConfigError, GenerationConfig
from foretell.cli.main import cli
from foretell.config.dialects import DIALECTS
from foretell.config.settings import SAMPLER_STAGES, SAMPLING_SETTINGS
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.fused.build import fuse
from foretell.decoding.philox import uniform
from foretell.decoding.sampler import draw
from foretell.engine.sequence import Sequence

P = np.array([0.5, 0.25, 0.15, 0.1])  # the square of the first is 0.25
ROW = np.full(VOCAB_SIZE, -40.0, np.float32)
ROW[:4] = np.log(P)
PROMPT = [70, 71, 72]


def kept(**settings: object) -> list[int]:
    row, context = ROW.copy(), ChainContext(VOCAB_SIZE)
    for stage in build_chain(GenerationConfig(**settings, seed=1), context):
        stage.processor(row, Sequence(0, PROMPT))
    return np.flatnonzero(row > -20).tolist()


@pytest.fixture
def llm() -> Iterator[LLM]:
    with toy_llm(lambda history: ROW.copy(), num_blocks=512) as made:
        yield made


def run(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_the_copy_that_is_looked_at():
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


def test_it_samples():
    assert GenerationConfig(top_a=0.4).is_sampling
    assert "top_a" in SAMPLING_SETTINGS
    assert "top_a" in SAMPLER_STAGES
    assert GenerationConfig(top_a=0.4, num_return_sequences=3).as_dict()["top_a"] == 0.4
    (sentence,) = GenerationConfig(top_a=0.4, temperature=0).warnings
    assert sentence == "top_a=0.4 has no effect with temperature=0 (greedy)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_sample": False}, r"top_a=0\.4 has no effect with do_sample=False"),
        ({"mirostat": 2}, r"top_a=0\.4 contradicts mirostat=2, which chooses the cut itself"),
        ({"top_a": 1.5}, r"top_a=1\.5 is out of range: must be a number from 0 to 1 \(keep p"),
        ({"top_a": math.nan}, "top_a=nan is out of range"),
        ({"top_a": "x"}, "top_a='x' must be a number"),
        ({"processors": ["temperature"]}, "top_a is set, but processors has no 'top_a'"),
    ],
)
def test_what_it_contradicts_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(**{"top_a": 0.4, **settings})


def test_its_neutral_value_is_silent():
    assert GenerationConfig(top_a=0, mirostat=2).warnings == ()
    assert kept(top_a=0) == kept() == [0, 1, 2, 3]
    (sentence,) = GenerationConfig(top_a=0.01).warnings
    assert sentence == "top_a=0.01 is legal, but 0.1 to 1 is the useful range"


def test_it_is_known_where_names_are_guessed():
    with pytest.raises(ConfigError, match="did you mean 'top_a'"):
        GenerationConfig().override(topa=0.4)


def test_the_guide_has_it():
    page = run("guide", "top_a")
    for line in ("option        --top-a", "legal         0 to 1", "useful        0.1 to 1.0"):
        assert f"  {line}\n" in page
    assert "keep p ≥ top_a · (max p)²" in page
    assert "contradicts mirostat" in page
    assert "cut" in page.split("Made-up candidates")[1]
    group = run("guide").split("Samplers that cut")[1].split("Samplers that steer")[0]
    assert "  top_a                 0 to 1     0.1 to 1.0     varied → only rivals" in group
    told = {one["name"]: one for one in json.loads(run("guide", "--json"))["settings"]}
    assert told["top_a"]["group"] == "Samplers that cut"
    assert "top_a" in "".join(told["mirostat"]["contradictions"])
    assert "before temperature" in told["top_a"]["dialects"]["llama.cpp"]


@pytest.mark.parametrize("command", ["generate", "chat", "next"])
def test_help_has_it_under_its_heading(command):
    shown = run(command, "--help")
    assert (
        "  --top-a FLOAT" in shown.split("Samplers that cut:")[1].split("Samplers that steer:")[0]
    )


def test_it_is_an_option(llm, monkeypatch):
    monkeypatch.setattr("foretell.llm.LLM", lambda *_, **__: llm)
    arguments = ["the", "--top-a", "0.9", "--seed", "3", "--max-new-tokens", "1", "--json"]
    assert json.loads(run("generate", *arguments))["config"]["top_a"] == 0.9


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_it_has_one_place_in_every_dialect(dialect):
    order = dialect.order
    assert order.count("top_a") == 1
    assert order.index("top_a") == order.index("min_p") + 1
    neutral = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "dialect": dialect.name}
    assert kept(top_a=0.61, **neutral) == [0, 1]


def test_it_keeps_the_right_tokens_also_beside_others():
    assert kept(top_a=0.5) == [0, 1, 2]
    assert kept(top_a=0.61) == [0, 1]
    assert kept(top_a=0.5, top_k=2) == [0, 1]
    assert kept(top_a=0.61, temperature=3.0) == [0, 1, 2, 3]
    assert kept(top_a=0.61, temperature=3.0, processors=["top_a", "temperature"]) == [0, 1]


@pytest.mark.parametrize("others", [{}, {"temperature": 0.7, "top_k": 3}])
def test_what_is_drawn_is_what_its_row_says(llm, others):
    config = GenerationConfig(top_a=0.5, seed=0, num_return_sequences=60, **others)
    stages = build_chain(config, ChainContext(VOCAB_SIZE))
    assert fuse(stages, config, ChainContext(VOCAB_SIZE)) is None  # C++ does not know it
    row = ROW.copy()
    for stage in stages:
        stage.processor(row, Sequence(0, PROMPT))
    drawn, expected = [], []
    for seed in range(5):
        outputs = llm.generate([PROMPT], config, max_new_tokens=1, seed=seed)
        drawn += [output.token_ids[0] for output in outputs]
        expected += [draw(row, uniform(seed, sample, len(PROMPT))) for sample in range(60)]
    assert drawn == expected
    weights = np.exp(row[:4].astype(float))
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.1)


def test_the_trace_shows_it(llm):
    output = llm.generate(PROMPT, max_new_tokens=1, top_a=0.61, temperature=0.9, seed=1, trace=True)
    (step,) = output.trace
    stage = next(stage for stage in step.stages if stage.name == "top_a")
    assert (stage.setting, stage.num_candidates) == ("0.61", 2)


def test_beams_and_next_take_it(llm):
    assert llm.generate(PROMPT, max_new_tokens=1, top_a=0.61, num_beams=2, seed=1).token_ids
    probabilities = [
        token.final_probability for token in llm.next(PROMPT, top=4, top_a=0.61).tokens
    ]
    assert probabilities == pytest.approx([2 / 3, 1 / 3, 0, 0])
