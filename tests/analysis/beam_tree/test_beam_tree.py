"""Beam trees against a search written anew here, and against what `generate` gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from support.toy import EOS, VOCAB_SIZE, toy_llm, toy_tokenizer
from support.toy_beam_search import LIKELY, PROMPT, random_settings, script, tree_of

from foretell import BeamTree, ConfigError, GenerationConfig, RequestError


def log_probabilities(token_ids):
    row = script((*toy_tokenizer().encode(PROMPT), *token_ids)).astype(np.float64)
    return row - row.max() - np.log(np.exp(row - row.max()).sum())


def candidates_of(step):
    """(place of the beam, candidate), in the order of the ranks."""
    told = [(place, one) for place, beam in enumerate(step.beams) for one in beam.candidates]
    return sorted((pair for pair in told if pair[1].rank), key=lambda pair: pair[1].rank)


def runners_up_of(step):
    return [(place, o) for place, b in enumerate(step.beams) for o in b.candidates if not o.rank]


def ends(token_ids, settings):
    """Whether a text ends with its last token."""
    if token_ids[-1] in settings.get("eos_token_id", [EOS]):
        return True
    text = toy_tokenizer().decode(token_ids)
    return len(token_ids) == settings["max_new_tokens"] or any(
        stop in text for stop in settings.get("stop", ())
    )


def check_candidates(step, settings):
    """They are the largest sums of all, the runners-up the next of each beam."""
    sums = [beam.total + log_probabilities(beam.token_ids) for beam in step.beams]
    number = settings["num_beams"] * (1 + len(settings.get("eos_token_id", [EOS])))
    pairs = [(place, token) for place in range(len(sums)) for token in range(VOCAB_SIZE)]
    pairs.sort(key=lambda pair: -sums[pair[0]][pair[1]])
    best = pairs[:number]
    found = candidates_of(step)
    assert [(place, one.token_id) for place, one in found] == best
    assert [one.rank for _, one in found] == [*range(1, number + 1)]
    assert step.num_candidates == number
    for place, one in found:
        assert one.total == pytest.approx(sums[place][one.token_id], abs=1e-4)
        assert one.total == step.beams[place].total + one.logprob
    assert [(place, one.token_id) for place, one in runners_up_of(step)] == [
        next(pair for pair in pairs[number:] if pair[0] == place) for place in range(len(sums))
    ]


def sifted(step, settings):
    """The step's candidates by what is to become of them: going on, ranked, dropped."""
    going_on, ranked, dropped = [], [], []
    for place, one in candidates_of(step):
        token_ids = [*step.beams[place].token_ids, one.token_id]
        if not ends(token_ids, settings):
            going_on.append((token_ids, one))
        elif one.rank <= settings["num_beams"]:
            score = one.total / len(token_ids) ** settings["length_penalty"]
            ranked.append((score, token_ids, one))
        else:
            dropped.append(one)
    going_on.sort(key=lambda pair: -pair[1].total)
    return going_on, ranked, dropped


def end_of(going_on, held, step, settings):
    """Why the search ends with a step, if it does, by the scores that are held."""
    beams, penalty = settings["num_beams"], settings["length_penalty"]
    if not going_on:
        return "exhausted"
    if len(held) < beams:
        return None
    if settings["early_stopping"] is True:
        return "enough"
    longest = settings["early_stopping"] == "never" and penalty > 0
    length = settings["max_new_tokens"] if longest else len(step.beams[0].token_ids) + 1
    return None if going_on[0][1].total / length**penalty > held[-1] else "settled"


def check_fates(tree, settings):
    """Each step's candidates went where they had to; the best hypotheses are those at the end."""
    beams, held, everyone = settings["num_beams"], [], []
    for number, step in enumerate(tree.steps):
        going_on, ranked, dropped = sifted(step, settings)
        everyone += ranked
        held = sorted([*held, *(score for score, *_ in ranked)], reverse=True)[:beams]
        assert step.num_hypotheses == len(held)
        end = end_of(going_on, held, step, settings)
        is_last = number == len(tree.steps) - 1
        assert (end or "goes on") == (tree.end if is_last else "goes on")
        if not is_last:
            live = [beam.token_ids for beam in tree.steps[number + 1].beams]
            assert live == [token_ids for token_ids, _ in going_on[:beams]]
        for place, (_, one) in enumerate(going_on):
            if place >= beams:
                assert (one.fate, one.verdict) == ("fell", f"below the best {beams}")
            elif is_last:
                assert (one.fate, one.verdict) == ("fell", "the search ended first")
            else:
                expected = ("kept", place, f"kept as beam {place}")
                assert (one.fate, one.beam, one.verdict) == expected
        place = "drawn after the first" if tree.config.is_sampling else "outside of the best"
        for one in dropped:
            assert one.fate == "fell"
            assert one.verdict == f"ends ({one.stop_reason.kind}), but {place} {beams}"
            assert one.score is None
    everyone.sort(key=lambda item: -item[0])
    check_hypotheses(tree, everyone, beams)


def check_hypotheses(tree, everyone, beams):
    assert [(one.token_ids, one.score) for one in tree.hypotheses] == [
        (token_ids, pytest.approx(score)) for score, token_ids, _ in everyone[:beams]
    ]
    for place, (score, _, one) in enumerate(everyone):
        assert one.score == pytest.approx(score)
        kind = one.stop_reason.kind
        if place < beams:
            assert (one.fate, one.hypothesis) == ("finished", place)
            assert one.verdict == f"ends ({kind}): hypothesis {place}, score {one.score:.3f}"
        else:
            assert (one.fate, one.hypothesis) == ("fell", None)
            assert one.verdict == f"ends ({kind}), outdone: score {one.score:.3f}"


def check_outputs(tree, settings):
    """Texts, scores and ends are those of a search whose steps nobody records."""
    with toy_llm(script) as llm:
        plain = llm.generate([PROMPT], **settings)
        best = llm.generate([PROMPT], **settings, num_return_sequences=len(tree.hypotheses))
    assert [facts_of(output) for output in tree.outputs] == [facts_of(one) for one in plain]
    assert [(one.text, one.score, one.stop_reason) for one in tree.hypotheses] == [
        (output.text, output.score, output.stop_reason) for output in best
    ]


def facts_of(output):
    return (output.text, output.token_ids, output.score, output.stop_reason, output.logprobs)


@pytest.mark.parametrize("number", range(60))
def test_a_tree_is_the_search_as_written_here(number):
    settings = random_settings(number)
    tree = tree_of(**settings)
    for step in tree.steps:
        check_candidates(step, settings)
    check_fates(tree, settings)
    check_outputs(tree, settings)


def test_the_random_settings_show_every_fate_and_end():
    trees = [tree_of(**random_settings(number)) for number in range(60)]
    told = [one for tree in trees for step in tree.steps for _, one in candidates_of(step)]
    words = " ".join(one.verdict for one in told)
    for part in (
        "kept",
        "below",
        "the search ended first",
        "outdone",
        "but outside of",
        "(string)",
    ):
        assert part in words
    assert {tree.end for tree in trees} == {"exhausted", "enough", "settled"}


@pytest.mark.parametrize("number", range(20))
def test_a_sampled_tree(number):
    """Drawn candidates: their sums, their fates, and the texts of the same seed."""
    settings = {**random_settings(number), "do_sample": True, "seed": number}
    settings.pop("stop", None)
    tree = tree_of(**settings)
    for step in tree.steps:
        found = [(place, one.token_id) for place, one in candidates_of(step)]
        assert len({*found}) == len(found) == step.num_candidates
        rows = [log_probabilities(beam.token_ids) for beam in step.beams]
        for place, one in candidates_of(step):
            assert one.logprob == pytest.approx(rows[place][one.token_id], abs=1e-4)
        for place, one in runners_up_of(step):
            rest = [t for t in range(VOCAB_SIZE) if (place, t) not in found]
            assert one.token_id == max(rest, key=rows[place].__getitem__)
            assert one.verdict == "not drawn"
    check_fates(tree, settings)
    check_outputs(tree, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"logprobs": 2, "stop": ["a"]},
        {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2},
        {"min_new_tokens": 4, "stop_regex": "b+"},
        {"stop": ["th"], "include_stop_str_in_output": True},
        {"temperature": 0.7, "top_k": 4, "seed": 3},
        {"allowed_token_ids": LIKELY[:2]},
        {"stopping_criteria": lambda text, token_ids: text.endswith("a")},
    ],
    ids="-".join,
)
def test_recording_steps_changes_nothing(settings):
    settings = {"num_beams": 3, "max_new_tokens": 6, **settings}
    check_outputs(tree_of(**settings), settings)


def test_a_token_that_is_ruled_out_is_no_runner_up():
    tree = tree_of(num_beams=2, max_new_tokens=2, allowed_token_ids=LIKELY[:2])
    assert [len(step.beams[0].candidates) for step in tree.steps] == [2, 2]
    assert not any(runners_up_of(step) for step in tree.steps)


def test_texts_of_live_beams_are_decoded_together():
    first, second = toy_tokenizer().encode("é")

    def halves(history):
        row = np.full(VOCAB_SIZE, -60.0, np.float32)
        row[second if history[-1] == first else first] = 0.0
        return row

    with toy_llm(halves) as llm:
        tree = llm.beams("z", num_beams=2, max_new_tokens=4)
    assert [step.beams[0].text for step in tree.steps] == ["", "<C3>", "é", "é<C3>"]
    assert tree.hypotheses[0].text == "éé"


def test_the_seed_drawn_is_told():
    tree = tree_of(max_new_tokens=3, do_sample=True)
    again = tree_of(**tree.config.as_dict())
    assert tree.config.seed is not None
    assert again.steps == tree.steps


def test_settings_as_a_whole_and_the_default():
    tree = tree_of(max_new_tokens=2)
    assert (tree.config.num_beams, len(tree.outputs)) == (5, 1)
    assert repr(tree) == "BeamTree(2 steps, 5 hypotheses)"
    assert isinstance(tree, BeamTree)
    config = GenerationConfig(num_beams=3, num_return_sequences=2, max_new_tokens=2)
    tree = tree_of(config=config)
    assert (tree.config.num_beams, len(tree.outputs)) == (3, 2)
    assert tree_of(config=config, num_beams=4).config.num_beams == 4


def test_what_makes_no_tree():
    with toy_llm(script) as llm:
        for settings, error, message in [
            ({"num_beams": 1}, ConfigError, "num_beams=1 searches no tree: must be at least 2"),
            ({"trace": True}, ConfigError, "trace=True contradicts num_beams=5"),
            ({"config": {"num_beams": 2}}, ConfigError, "must be a GenerationConfig"),
            ({"num_beam": 2}, ConfigError, "did you mean 'num_beams'"),
        ]:
            with pytest.raises(error, match=message):
                llm.beams("x", **settings)
        with pytest.raises(RequestError, match="is a list of prompts: must be one of them"):
            llm.beams(["x", "y"])
        with pytest.raises(RequestError, match="the prompt has no tokens"):
            llm.beams("")
        with pytest.raises(RequestError, match=r"the search found 1 possible text$"):
            llm.beams("x", num_return_sequences=2, allowed_token_ids=[EOS])
        assert llm.stats().running == 0


def test_a_tree_is_a_path_of_live_beams():
    """Each live beam is one of the step before and a token that was kept."""
    tree = tree_of(num_beams=4, max_new_tokens=6)
    for before, after in pairwise(tree.steps):
        kept = {
            one.beam: ([*beam.token_ids, one.token_id], one.total)
            for beam in before.beams
            for one in beam.candidates
            if one.fate == "kept"
        }
        assert [(beam.token_ids, beam.total) for beam in after.beams] == [
            kept[place] for place in range(len(kept))
        ]
