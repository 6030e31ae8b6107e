"""Beam trees as people read them: drawn, told in sentences, as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.toy import EOS, VOCAB_SIZE, toy_llm, toy_tokenizer
from support.toy_beam_search import LIKELY, random_settings, tree_of

from foretell import RequestError
from foretell.utils.display import width_of


def odds_script(history):
    """Token by token: "a" 60 %, "b" 40 %; then after "b" surely the end, after "a" anything."""
    row = np.full(VOCAB_SIZE, -60.0, np.float32)
    a, b, _, the, *_ = LIKELY
    odds = {a: {a: 0.35, b: 0.33, the: 0.32}, b: {EOS: 0.9, a: 0.06, the: 0.04}}
    for token, share in odds.get(history[-1], {a: 0.6, b: 0.4}).items():
        row[token] = np.log(share)
    return row


def odds_tree(**settings):
    with toy_llm(odds_script) as llm:
        return llm.beams("z", **{"num_beams": 2, "max_new_tokens": 2, **settings})


DRAWN = '''\
"z"

step 0: 1 live beam, 4 candidates
    rank  token         log p        sum  what became of it
  beam 0: the prompt
  ├    1  "a"          -0.511     -0.511  kept as beam 0
  ├    2  "b"          -0.916     -0.916  kept as beam 1
  ├    3  "!"         -60.000    -60.000  below the best 2
  ├    4  "\\""        -60.000    -60.000  below the best 2
  └    ·  "#"         -60.000    -60.000  not among the best 4

step 1: 2 live beams, 4 candidates, 2 hypotheses after it
    rank  token          log p        sum  what became of it
  beam 0: -0.511  "a"
  ├    2  "a"           -1.050     -1.561  ends (max_new_tokens): hypothesis 1, score -0.780
  ├    3  "b"           -1.109     -1.619  ends (max_new_tokens), but outside of the best 2
  ├    4  "the"         -1.139     -1.650  ends (max_new_tokens), but outside of the best 2
  └    ·  "!"          -60.000    -60.511  not among the best 4
  beam 1: -0.916  "b"
  ├    1  "<|end|>"     -0.105     -1.022  ends (eos): hypothesis 0, score -0.511
  └    ·  "a"           -2.813     -3.730  not among the best 4

the search ended: no continuation goes on
hypotheses by score = sum / length ** 1
         score        sum length  ends by         text
   0    -0.511     -1.022      2  eos             "b"
   1    -0.780     -1.561      2  max_new_tokens  "aa"'''


def test_how_a_tree_is_drawn():
    assert str(odds_tree()) == DRAWN


def test_what_became_of_a_token_in_a_sentence():
    tree = odds_tree()
    assert tree.why(0, "a") == (
        'After the prompt, "a" has log-probability -0.511 and makes -0.511, '
        "rank 1 of 4: kept as beam 0."
    )
    assert tree.why(1, LIKELY[0]) == (
        'After beam 0, "a" (-0.511), "a" has log-probability -1.050 and makes -1.561, '
        "rank 2 of 4: ends (max_new_tokens): hypothesis 1, score -0.780. "
        'After beam 1, "b" (-0.916), "a" has log-probability -2.813 and makes -3.730, '
        "no candidate: not among the best 4."
    )
    assert tree.why(1, " cat") == '" cat" was not among the 4 candidates of any beam.'
    assert tree.why(1, LIKELY[2]).startswith(f"Token {LIKELY[2]} was not among")
    for step in (-1, 2):
        with pytest.raises(RequestError, match=f"step {step} is out of range: must be 0 to 1"):
            tree.why(step, "a")


def test_a_sampled_search_counts_its_candidates_as_they_were_drawn():
    tree = tree_of(num_beams=2, max_new_tokens=3, do_sample=True, seed=3)
    ranks = [one.rank for beam in tree.steps[1].beams for one in beam.candidates if one.rank]
    assert sorted(ranks) == [1, 2, 3, 4]
    kept = [one for beam in tree.steps[1].beams for one in beam.candidates if one.fate == "kept"]
    assert {one.rank for one in kept} != {1, 2}  # the best are not the first drawn
    headings = [line.split()[0] for line in str(tree).splitlines() if "what became of it" in line]
    assert headings == ["drawn"] * 3
    assert tree.why(1, kept[0].token_id).count(f", number {kept[0].rank} of 4 drawn: kept as") == 1
    assert "rank" not in tree.why(1, kept[0].token_id)
    page = tree._repr_html_()
    assert page.count(">drawn<") == 3
    assert ">rank<" not in page
    assert odds_tree()._repr_html_().count(">rank<") == 2


@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_search_that_ends_early_says_why(early_stopping):
    tree = odds_tree(max_new_tokens=9, early_stopping=early_stopping, length_penalty=0.0)
    drawn = str(tree)
    words = {
        "enough": "early_stopping=True, and there are 2 hypotheses",
        "settled": "the best live beam would not outdo the worst hypothesis",
    }
    assert f"the search ended: {words['enough' if early_stopping else 'settled']}\n" in drawn
    assert "the search ended first" in drawn
    assert "hypotheses by score = sum / length ** 0\n" in drawn


def check_drawing(tree):
    """It fits, nothing in it moves the cursor, and a step's candidates stand in columns."""
    told = str(tree)
    assert all(line.isprintable() for line in told.splitlines())
    assert max(map(width_of, told.splitlines())) <= 100
    blocks = [block for block in told.split("\n\n") if block.startswith("step ")]
    for block, step in zip(blocks, tree.steps, strict=True):
        branches = [line for line in block.splitlines() if line[:3] in ("  ├", "  └")]
        everyone = [one for beam in step.beams for one in beam.candidates]
        columns = set()
        for line, one in zip(branches, everyone, strict=True):
            assert line.endswith(f" {one.total:.3f}  {one.verdict}")
            columns.add(width_of(line.removesuffix(one.verdict)))
        assert len(columns) == 1


@pytest.mark.parametrize("number", range(0, 60, 6))
def test_a_drawing_fits_and_aligns(number):
    check_drawing(tree_of(**random_settings(number)))


def test_wide_and_hostile_texts_stay_in_their_columns():
    line = toy_tokenizer().encode("고양이가 \x1b[2J\u202e앉았다" * 6)

    def recital(history):
        row = np.full(VOCAB_SIZE, -60.0, np.float32)
        row[line[len(history) - 1]], row[LIKELY[0]] = 0.0, -9.0
        return row

    with toy_llm(recital) as llm:
        tree = llm.beams("\x1b", num_beams=2, max_new_tokens=130)
    check_drawing(tree)
    shown = [one for one in str(tree).splitlines() if one.startswith("  beam 0: ")]
    assert any("  …" in one and one.endswith('"') and width_of(one) in (99, 100) for one in shown)
    assert '"\\x1b"' in str(tree)


def test_a_long_token_makes_way_for_a_long_verdict():
    tree = odds_tree()
    step, beam = tree.steps[0], tree.steps[0].beams[0]
    long = [
        replace(one, token=" internationalization", total=-12345.678, verdict=verdict)
        for one, verdict in zip(beam.candidates, ["v" * 51, "v" * 58, *"vvv"], strict=True)
    ]
    steps = [replace(step, beams=[replace(beam, candidates=long)])]
    check_drawing(replace(tree, steps=steps))
    check_drawing(replace(tree, steps=[replace(step, beams=[replace(beam, candidates=long[2:])])]))


def test_to_dict_is_json():
    tree = odds_tree(do_sample=True, seed=5)
    data = json.loads(json.dumps(tree.to_dict()))
    assert data["prompt"] == "z"
    assert data["config"]["seed"] == 5
    assert data["end"] == tree.end
    first = data["steps"][0]["beams"][0]["candidates"][0]
    assert first["token_id"] == tree.steps[0].beams[0].candidates[0].token_id
    assert first["verdict"] == tree.steps[0].beams[0].candidates[0].verdict
    assert [one["text"] for one in data["hypotheses"]] == [one.text for one in tree.hypotheses]
    assert data["outputs"][0]["text"] == tree.outputs[0].text


@pytest.mark.filterwarnings("ignore:length_penalty")
@pytest.mark.parametrize("length_penalty", [-300, 300])
def test_a_drawing_of_vast_scores_ends(length_penalty):
    wishes = {"num_beams": 2, "max_new_tokens": 9, "ignore_eos": True}
    tree = toy_llm().beams("the cat", length_penalty=length_penalty, **wishes)
    assert max(map(width_of, str(tree).splitlines())) <= 100
    assert len(tree._repr_html_()) < 100_000
