"""Diverse, constrained and stochastic beams with all that beams go with, by the public calls."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from support.toy import toy_llm, toy_tokenizer
from support.toy_beam_search import script

from foretell import ConfigError, GenerationConfig, RequestError
from foretell.analysis.beam_tree.picture import tree_svg

KINDS = {
    "diverse": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
    "constrained": {"num_beams": 4, "force_words": ["ab", [" cat", "the"]]},
    "stochastic": {"num_beams": 4, "stochastic_beams": True, "seed": 11},
}
PROMPT, LENGTH = "xyz", 7


@pytest.fixture(scope="module")
def llm():
    with toy_llm(script) as made:
        yield made


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def ask(llm, kind, prompt=PROMPT, **settings):
    return llm.generate(prompt, **{"max_new_tokens": LENGTH, **KINDS[kind], **settings})


def facts(outputs):
    return [(one.text, one.token_ids, one.score, one.stop_reason) for one in outputs]


def test_streams_join_to_the_texts(llm, kind):
    outputs = ask(llm, kind, num_return_sequences=3)
    settings = {"max_new_tokens": LENGTH, "num_return_sequences": 3, **KINDS[kind]}
    texts = ["", "", ""]
    for chunk in llm.stream(PROMPT, **settings):
        texts[chunk.index] += chunk.text
    assert texts == [one.text for one in outputs]


def test_company_changes_nothing(llm, kind):
    alone = facts(ask(llm, kind, num_return_sequences=2))
    prompts = ["a", PROMPT, "the cat", PROMPT]
    found = ask(llm, kind, prompts, num_return_sequences=2)
    assert facts(found[2:4]) == facts(found[6:8]) == alone


def test_a_text_is_the_same_however_many_are_asked_for(llm):
    """A search does not depend on how many of its texts are returned."""
    for kind in KINDS:
        several = facts(ask(llm, kind, num_return_sequences=3))
        assert facts([ask(llm, kind)]) == several[:1]


def test_logprobs_are_the_models(llm, kind):
    output = ask(llm, kind, logprobs=2)
    scored = llm.score([*output.prompt_token_ids, *output.token_ids])
    expected = [one.logprob for one in scored.tokens[len(output.prompt_token_ids) :]]
    assert [one.logprob for one in output.logprobs] == pytest.approx(expected, abs=1e-4)
    assert all(len(one.top) == 2 for one in output.logprobs)


def test_stops_end_texts(llm, kind):
    outputs = ask(llm, kind, stop=["b", "\n"], num_return_sequences=2, max_new_tokens=9)
    for output in outputs:
        assert "b" not in output.text or kind == "constrained"
        assert "\n" not in output.text


def test_processors_are_heard(llm, kind):
    cat = toy_tokenizer().encode(" cat")[0]
    outputs = ask(llm, kind, num_return_sequences=2, suppress_tokens=[cat])
    assert all(cat not in output.token_ids for output in outputs)


def test_forms_hold(llm):
    pytest.importorskip("llguidance")
    for kind in KINDS:
        output = ask(llm, kind, regex=r"(the|ab| cat|é){2,4}", max_new_tokens=20)
        assert output.complete
        assert re.fullmatch(r"(the|ab| cat|é){2,4}", output.text)


def test_words_are_written(llm):
    for output in ask(llm, "constrained", num_return_sequences=4):
        assert "ab" in output.text
        assert " cat" in output.text or "the" in output.text


def test_words_may_be_ids(llm):
    ids = toy_tokenizer().encode("cat")
    output = llm.generate(PROMPT, num_beams=2, force_words=[ids], max_new_tokens=len(ids) + 1)
    spelled = [*map(str, ids)]
    assert " ".join(spelled) in " ".join(map(str, output.token_ids))


def test_inclusion_probabilities_are_told_of_what_is_drawn(llm, kind):
    outputs = ask(llm, kind, num_return_sequences=3)
    told = [one.inclusion_probability for one in outputs]
    if kind != "stochastic":
        assert told == [None] * 3
        return
    assert all(0 < one <= 1 for one in told)
    assert outputs[0].to_dict()["inclusion_probability"] == told[0]


def test_what_is_drawn_first_streams_token_by_token(llm):
    settings = {**KINDS["stochastic"], "max_new_tokens": LENGTH}
    chunks = [*llm.stream(PROMPT, **settings)]
    assert len(chunks) >= len(chunks[-1].output.token_ids) - 1


def test_trees_tell_what_became_of_all(llm, kind):
    tree = llm.beams(PROMPT, max_new_tokens=5, num_return_sequences=2, **KINDS[kind])
    outputs = ask(llm, kind, max_new_tokens=5, num_return_sequences=2)
    assert [one.text for one in tree.hypotheses[:2]] == [one.text for one in outputs]
    assert [one.score for one in tree.hypotheses[:2]] == [one.score for one in outputs]
    for step, after in zip(tree.steps, [*tree.steps[1:], None], strict=True):
        kept = [one.beam for beam in step.beams for one in beam.candidates if one.fate == "kept"]
        assert sorted(kept) == [*range(0 if after is None else len(after.beams))]
    finished = {
        one.hypothesis
        for step in tree.steps
        for beam in step.beams
        for one in beam.candidates
        if one.fate == "finished"
    }
    assert finished == {*range(len(tree.hypotheses))}
    groups = {beam.group for step in tree.steps for beam in step.beams}
    assert groups == ({0, 1} if kind == "diverse" else {None})


def test_pictures_are_whole_and_nothing_crosses(llm, kind):
    tree = llm.beams(PROMPT, max_new_tokens=6, **KINDS[kind])
    root = ElementTree.fromstring(tree_svg(tree))
    _, _, width, height = map(float, root.get("viewBox").split())
    boxes = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if one.get("rx") == "7"]
    places = [(float(one.get("x")), float(one.get("y")), float(one.get("width"))) for one in boxes]
    assert all(x >= 0 and x + wide <= width and 0 <= y <= height for x, y, wide in places)
    assert len({(x, y) for x, y, _ in places}) == len(places)
    assert "<svg" in tree._repr_html_()


def test_a_seed_is_drawn_and_told(llm):
    output = llm.generate(PROMPT, num_beams=3, stochastic_beams=True, max_new_tokens=4)
    again = llm.generate(
        PROMPT, num_beams=3, stochastic_beams=True, max_new_tokens=4, seed=output.config.seed
    )
    assert again.token_ids == output.token_ids


def test_words_that_do_not_fit_are_refused_before_the_first_step(llm):
    steps = llm.stats().steps
    with pytest.raises(ConfigError, match="force_words takes 3 tokens at least"):
        llm.generate(PROMPT, num_beams=2, force_words=["xyz"], max_new_tokens=2)
    assert llm.stats().steps == steps


def test_banned_words_are_not_found(llm):
    with pytest.raises(RequestError, match="the search found 0 possible texts with all of force"):
        llm.generate(PROMPT, num_beams=2, force_words=["x"], bad_words=["x"], max_new_tokens=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beam_groups": 2}, "num_beam_groups=2 has no effect without num_beams above 1"),
        ({"num_beams": 3, "num_beam_groups": 2}, "num_beam_groups=2 does not divide num_beams=3"),
        ({"num_beams": 4, "num_beam_groups": 2}, "no effect without diversity_penalty above 0"),
        ({"num_beams": 4, "diversity_penalty": 1.0}, "no effect without num_beam_groups above 1"),
        ({**KINDS["diverse"], "temperature": 0.7}, "num_beam_groups=2 contradicts sampling"),
        ({**KINDS["diverse"], "force_words": ["a"]}, "a search is of one kind"),
        ({**KINDS["diverse"], "stochastic_beams": True}, "a search is of one kind"),
        ({**KINDS["diverse"], "trace": True}, "trace=True contradicts num_beams=4"),
        ({**KINDS["diverse"], "guidance_scale": 2.0}, "guidance_scale=2.0 contradicts"),
        ({"force_words": ["a"]}, "force_words=.* has no effect without num_beams above 1"),
        ({**KINDS["constrained"], "do_sample": True}, "contradicts sampling"),
        ({**KINDS["stochastic"], "do_sample": False}, "contradicts greedy decoding"),
        ({**KINDS["stochastic"], "temperature": 0}, "contradicts greedy decoding"),
        ({**KINDS["stochastic"], "early_stopping": True}, "go on until each has ended"),
        ({**KINDS["stochastic"], "length_penalty": 2.0}, "go on until each has ended"),
        ({**KINDS["stochastic"], "patience": 2.0}, "go on until each has ended"),
        ({"num_beams": 2, "force_words": [1, 2]}, r"force_words=\[1, 2\] must be a list of texts"),
        ({"num_beams": 2, "force_words": [[]]}, "force_words=.* must be a text or a list of"),
        ({"num_beams": 2, "force_words": []}, "force_words=.* must be a list of texts"),
        ({"num_beams": 2, "force_words": [""]}, "force_words='' must be a string"),
        ({"num_beams": 2, "force_words": ["x"] * 300}, "force_words has 257 alternatives or more"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(**settings)


def test_transformers_names_are_known():
    with pytest.raises(ConfigError, match="here it is called 'force_words'"):
        GenerationConfig(force_words_ids=[[1]])
    with pytest.raises(ConfigError, match="set force_words"):
        GenerationConfig(constraints=[])
