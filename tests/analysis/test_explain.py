"""Explanations: made of a real request's trace, told in tables, sentences and HTML."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from support.markup import read_html
from support.toy import VOCAB_SIZE, reciting_llm, toy_llm, toy_tokenizer

from foretell import ConfigError, RequestError
from foretell.analysis.explain import Explanation
from foretell.analysis.html import page
from foretell.outputs import CandidateTrace, DrawTrace, StageTrace, StepTrace
from foretell.utils.display import show_token, width_of

ODDS = {" cat": 0.4, "the": 0.3, "a": 0.2, "b": 0.1}
HOSTILE = '<script>alert("1")</script>&\'\n\t \x1b[2J\u202e'


def token_id(text):
    (found,) = toy_tokenizer().encode(text)
    return found


def script(history):
    row = np.full(VOCAB_SIZE, -60.0, np.float32)
    for text, probability in ODDS.items():
        row[token_id(text)] = math.log(probability)
    return row


def explained(**settings):
    return toy_llm(script).explain("xyz", max_new_tokens=3, **settings)


def step(token='"<b>', draw=None):
    stages = (StageTrace("raw", "", 9, 1.0, 1.5), StageTrace("top_k", "2", 2, 0.5, 0.6))
    chosen = CandidateTrace(5, token, token.encode(), 2, (1.0, 1.0), (0.2, 0.4))
    others = (
        CandidateTrace(3, HOSTILE, HOSTILE.encode(), 1, (2.0, 2.0), (0.3, 0.6)),
        CandidateTrace(7, token, token.encode(), 3, (0.5, None), (0.1, 0.0), 1),
    )
    return StepTrace(stages, chosen, others, draw)


def hostile_explanation():
    output = explained().output
    steps = [step(), step(HOSTILE), step(draw=DrawTrace(0.5, 0.25, 0.75))]
    return Explanation(dataclasses.replace(output, prompt=HOSTILE, trace=steps))


def test_steps_tell_what_the_settings_did():
    found = explained(temperature=0.5, top_k=3, top_p=0.7, seed=4)
    assert [step.chosen.token_id for step in found.steps] == found.output.token_ids
    for one in found.steps:
        assert [(stage.name, stage.setting) for stage in one.stages] == [
            ("raw", ""),
            ("temperature", "0.5"),
            ("top_k", "3"),
            ("top_p", "0.7"),
        ]
        # 0.4² : 0.3² : 0.2² : 0.1² = 16 : 9 : 4 : 1; then the first three; then 16 + 9 ≥ 0.7 · 29
        assert [stage.num_candidates for stage in one.stages] == [VOCAB_SIZE, VOCAB_SIZE, 3, 2]
        masses = [stage.mass for stage in one.stages]
        assert masses == pytest.approx([1, 1, 29 / 30, 25 / 29], rel=1e-5)
        by_token = {c.token: c for c in (one.chosen, *one.runners_up)}
        expected = {" cat": (0.4, 16 / 30, 16 / 29, 16 / 25), "the": (0.3, 9 / 30, 9 / 29, 9 / 25)}
        for text, odds in expected.items():
            assert by_token[text].probabilities == pytest.approx(odds, rel=1e-5)
        assert (by_token["a"].removed_by, by_token["b"].removed_by) == (3, 2)
        assert one.draw.low <= one.draw.uniform < one.draw.high


def test_tracing_changes_no_token():
    settings = {"temperature": 1.3, "top_p": 0.95, "repetition_penalty": 1.2, "seed": 11}
    plain = toy_llm(script).generate("xyz", max_new_tokens=20, **settings)
    traced = toy_llm(script).generate("xyz", max_new_tokens=20, trace=True, **settings)
    assert traced.token_ids == plain.token_ids
    assert plain.trace is None
    assert [one.chosen.token_id for one in traced.trace] == plain.token_ids


def test_the_real_model_tells_its_own_distribution(default_model_path):
    from foretell import LLM

    with LLM(str(default_model_path)) as llm:
        raw = llm.next("The cat sat on the", top=6)
        found = llm.explain("The cat sat on the", max_new_tokens=1, top_k=40, seed=1)
    told = {c.token_id: c for c in (found.steps[0].chosen, *found.steps[0].runners_up)}
    for rank, token in enumerate(raw.tokens[:5], start=1):
        candidate = told[token.token_id]
        assert candidate.rank == rank
        assert candidate.probabilities[0] == pytest.approx(token.probability, rel=1e-6)
        assert candidate.logits[0] == token.logit
    assert found.steps[0].stages[0].entropy == pytest.approx(raw.entropy, rel=1e-6)
    assert found.output.logprobs[0].logprob == pytest.approx(
        math.log(found.steps[0].chosen.probabilities[0]), abs=1e-6
    )


def test_why_greedy():
    told = explained(repetition_penalty=1.5).why(0)
    assert told.startswith(f'The model gave " cat" 40.00%, rank 1 of {VOCAB_SIZE}. ')
    assert "repetition_penalty 1.5 changed nothing for it." in told
    assert told.endswith("greedy decoding takes that.")


def test_why_sampled():
    found = hostile_explanation()
    told = found.why(2)
    assert told == (
        'The model gave "\\"<b>" 20.00%, rank 2 of 9. '
        "top_k 2 cut 7 tokens, which held 50.00%, and raised it to 40.00%. "
        f"The model's first choice, {show_token(HOSTILE)} (30.00%), stood at 60.00% in the end. "
        "The number drawn was 0.500000; with the probabilities summed by ascending ids, it fell "
        "between 0.250000 and 0.750000, which is this token."
    )


def test_why_names_what_removed_the_favourite():
    found = explained(bad_words_ids=[[token_id(" cat")]])
    told = found.why(0)
    assert found.output.text.startswith("the")
    assert 'first choice, " cat" (40.00%), was removed by bad_words_ids' in told
    assert "cut 1 token, which held 40.00%, and raised it to 50.00%" in told


def test_the_table_fits_and_aligns():
    found = explained(temperature=0.5, top_k=3, seed=4)
    blocks = str(found).split("\n\n")
    assert len(blocks) == 3
    for index, block in enumerate(blocks):
        head, *lines = block.splitlines()
        assert head.startswith(f"{index}: ")
        assert len({width_of(line) for line in lines}) == 1
        assert width_of(lines[0]) <= 100
        assert lines[-1].split()[:3] == ["top_k", "3", "3"]
        assert lines[-1].split()[-1] == "cut"


def test_hostile_tokens_cannot_move_the_cursor():
    for text in (str(hostile_explanation()), hostile_explanation().why(1)):
        assert all(char.isprintable() or char == "\n" for char in text)


def test_html_of_hostile_text_has_only_our_tags():
    found = read_html(hostile_explanation()._repr_html_())
    assert found.tags == {"div", "style", "span", "b", "p", "details", "summary", "pre"}
    assert {name for name, _ in found.attributes} == {"class", "style", "tabindex"}
    assert '<script>alert("1")</script>&' in found.text
    assert "\x1b" not in found.text + "".join(found.details)
    assert "\u202e" not in found.text + "".join(found.details)


def test_html_tells_the_story_of_each_token():
    explanation = hostile_explanation()
    found = read_html(explanation._repr_html_())
    assert len(found.details) == 3
    for index, told in enumerate(found.details):
        assert explanation.why(index) in told
        assert "by the model 20.00%in the end 40.00%rank 2id 5" in told
        assert "10.00%cut by top_k" in told
        assert "30.00%60.00%" in told
        assert "→ " in told
    assert "drawn 0.5000 in [0.2500, 0.7500)" in found.details[2]


def test_html_shades_by_raw_probability():
    found = read_html(explained()._repr_html_())
    kinds = [value for name, value in found.attributes if name == "class"]
    assert kinds.count("ft-token ft-l2") == 3 + 1  # three times 40 %, and the legend


def test_the_page_is_a_document():
    found = read_html(page(hostile_explanation()))
    assert {"html", "head", "meta", "title", "body"} <= found.tags
    assert "script" not in found.tags
    assert ("content", "light dark") in found.attributes


def test_to_dict_is_json():
    found = explained(top_k=2, seed=3)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["prompt"] == "xyz"
    assert data["token_ids"] == found.output.token_ids
    first = data["steps"][0]
    assert first["why"] == found.why(0)
    assert first["stages"][1]["name"] == "top_k"
    assert first["chosen"]["token_id"] == found.output.token_ids[0]
    assert first["draw"]["low"] <= first["draw"]["uniform"] < first["draw"]["high"]


@pytest.mark.parametrize("index", [-1, 3])
def test_a_token_that_is_not_there(index):
    with pytest.raises(RequestError, match=f"token {index} is out of range: must be 0 to 2"):
        explained().why(index)


def test_what_cannot_be_explained():
    llm = toy_llm(script)
    with pytest.raises(RequestError, match="trace=True"):
        Explanation(llm.generate("xyz", max_new_tokens=1))
    with pytest.raises(RequestError, match="is a list of prompts: must be one of them"):
        llm.explain(["x", "y"])
    with pytest.raises(ConfigError, match="trace=False"):
        llm.explain("x", trace=False)


def test_nothing_generated():
    found = Explanation(dataclasses.replace(explained().output, trace=[]))  # a stop cut it all
    assert found.steps == []
    assert str(found) == ""
    with pytest.raises(RequestError, match="no token was generated"):
        found.why(0)
    assert read_html(found._repr_html_()).details == []


def test_the_headings_of_a_table_are_whole():
    with reciting_llm("the cat sat") as llm:
        table = llm.explain("the", max_new_tokens=1).table(0)
    heading, row = table.splitlines()[1:3]
    assert heading.split()[:4] == ["stage", "tokens", "mass", "entropy"]
    assert row.split()[0] == "raw"


def test_one_token_is_one():
    with reciting_llm("the cat sat") as llm:
        assert repr(llm.explain("the", max_new_tokens=1)) == "Explanation(1 token)"


def test_the_interval_that_is_shown_holds_the_draw():
    llm = toy_llm()
    for seed in range(60):
        found = llm.explain("the cat", max_new_tokens=6, temperature=2.0, seed=seed)
        shown = re.findall(r"drawn: (\S+) is in \[(\S+), (\S+)\)", str(found))
        assert len(shown) == len(found.output.token_ids)
        for uniform, low, high in shown:
            assert float(low) <= float(uniform) < float(high)
