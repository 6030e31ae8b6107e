"""A choice among samples: by agreement, by majority, by likelihood."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

import pytest
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer

from foretell import AsyncLLM, GenerationConfig
from foretell.analysis.choice import NUM_SAMPLES, chrf, f1
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.errors import ConfigError

WISHES = {"max_new_tokens": 6, "seed": 3, "temperature": 1.2}


def test_mbr_is_the_mean_utility_against_the_others():
    def shared(one, other):
        return len({*one} & {*other})

    with toy_llm() as llm:
        found = llm.choose("the", utility=shared, **WISHES, num_return_sequences=5)
        plain = llm.generate("the", **WISHES, num_return_sequences=5)
    texts = [output.text for output in plain]
    assert [one.text for one in found.candidates] == texts
    for at, one in enumerate(found.candidates):
        others = [shared(one.text, text) for j, text in enumerate(texts) if j != at]
        assert one.score == pytest.approx(sum(others) / 4)
    assert found.best.score == max(one.score for one in found.candidates)
    assert found.text == found.best.text


def test_the_majoritys_likeliest_wins():
    def vowel(text):
        return next((letter for letter in text if letter in "aeiou"), None)

    with toy_llm() as llm:
        found = llm.choose("the", by="majority", answer=vowel, **WISHES, num_return_sequences=40)
    votes = Counter(one.answer for one in found.candidates if one.answer is not None)
    assert votes[found.best.answer] == max(votes.values())
    rivals = [one for one in found.candidates if one.score == found.best.score]
    assert found.best.logprob == max(one.logprob for one in rivals)
    for one in found.candidates:
        assert one.score == (0 if one.answer is None else votes[one.answer] / 40)


def test_an_answer_is_the_last_match_or_its_group():
    with toy_llm() as llm:
        whole = llm.choose("the", by="majority", answer=r".", **WISHES)
        group = llm.choose("the", by="majority", answer=r"^(.)", **WISHES)
    for one in whole.candidates:
        lines = one.text.replace("\n", "")
        assert one.answer == (lines[-1] if lines else None)
    for one in group.candidates:
        assert one.answer == (one.text[0] if one.text[:1].strip("\n") else None)


def test_likelihood_is_the_mean_of_the_tokens():
    with toy_llm() as llm:
        found = llm.choose("the", by="likelihood", **WISHES)
        plain = llm.generate("the", **WISHES, num_return_sequences=NUM_SAMPLES, logprobs=0)
    for one, output in zip(found.candidates, plain, strict=True):
        logprobs = [token.logprob for token in output.logprobs]
        assert one.logprob == pytest.approx(math.fsum(logprobs))
        assert one.score == pytest.approx(math.fsum(logprobs) / len(logprobs))


def test_unless_it_is_said_eight_are_drawn():
    with toy_llm() as llm:
        found = llm.choose("the", max_new_tokens=5)
        assert len(found.candidates) == NUM_SAMPLES
        assert found.config.is_sampling
        beams = llm.choose("the", max_new_tokens=5, num_beams=3)
        assert len(beams.candidates) == 3
    assert str(found).splitlines()[1].startswith("→ ")
    assert len(str(found).splitlines()) == 1 + NUM_SAMPLES


@pytest.mark.parametrize("config", [None, GenerationConfig(max_new_tokens=5)])
def test_a_number_alone_is_of_samples_that_are_drawn(config):
    with toy_llm() as llm:
        found = llm.choose("the", config, max_new_tokens=5, num_return_sequences=3, seed=4)
        drawn = llm.generate(
            "the", do_sample=True, max_new_tokens=5, num_return_sequences=3, seed=4
        )
    assert [one.text for one in found.candidates] == [output.text for output in drawn]
    assert found.config.is_sampling


def test_a_beam_search_gives_as_many_as_are_asked_for():
    with toy_llm() as llm:
        found = llm.choose("the", max_new_tokens=5, num_beams=4, num_return_sequences=2)
    assert len(found.candidates) == 2
    assert not found.config.is_sampling


def test_both_faces_choose_alike():
    async def ask():
        backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
        async with AsyncLLM(backend, tokenizer=toy_tokenizer()) as llm:
            return await llm.choose("the", by="mbr", utility="f1", **WISHES)

    with toy_llm() as llm:
        assert llm.choose("the", utility="f1", **WISHES) == asyncio.run(ask())


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"num_return_sequences": 1}, "num_return_sequences=1 leaves nothing to choose: must be 2"),
        ({"temperature": 0}, "num_return_sequences=8 contradicts greedy decoding"),
        ({"by": "luck"}, "by='luck' must be one of 'mbr', 'majority', 'likelihood'"),
        ({"utility": "bleu"}, "utility='bleu' must be 'chrf' or 'f1', or a function"),
        ({"utility": lambda one, other: "good"}, "utility returned 'good': must be a finite"),
        ({"by": "majority", "answer": "("}, r"answer='\(' is no regular expression"),
        ({"by": "majority", "answer": 3}, "answer=3 must be a regular expression or a function"),
        ({"by": "majority", "answer": lambda text: None}, "answer finds none in 8 texts"),
    ],
)
def test_what_makes_no_sense_is_refused(wishes, message):
    with toy_llm() as llm, pytest.raises(ConfigError, match=message):
        llm.choose("the", **{**WISHES, **wishes})


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [("abc", "abc", 1.0), ("a b c", "abc", 1.0), ("abc", "xyz", 0.0), ("", "", 1.0), ("", "a", 0)],
)
def test_chrf_at_its_ends(one, other, value):
    assert chrf(one, other) == value


def test_chrf_by_hand():
    # "abcd" against "abce": 3 of 4, 2 of 3, 1 of 2, 0 of 1
    mean = (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4
    assert chrf("abcd", "abce") == pytest.approx(mean)
    precision, recall = (2 / 2 + 1 / 1) / 2, (2 / 3 + 1 / 2) / 2
    assert chrf("ab", "abc") == pytest.approx(5 * precision * recall / (4 * precision + recall))


def test_f1_of_words():
    assert f1("the cat sat", "the dog sat down") == pytest.approx(
        2 * (2 / 3 * 2 / 4) / (2 / 3 + 2 / 4)
    )
    assert (f1("", ""), f1("a", "")) == (1.0, 0.0)
