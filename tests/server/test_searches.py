"""Diverse, constrained and stochastic beams through the server: as the model alone answers."""

from __future__ import annotations

import pytest
from support.asgi import call
from support.toy_async import run, scripted
from support.toy_beam_search import script
from support.toy_server import serving

ASKED = {"prompt": "xyz", "max_tokens": 7, "n": 2}
SEARCHES = [
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
    {"num_beams": 4, "force_words": ["ab", [" cat", [260]]]},
    {"num_beams": 4, "stochastic_beams": True, "seed": 11},
    {"num_beams": 4, "patience": 0.5},
]


def asked(**fields):
    """What a toy server answers."""
    answers = []

    async def ask():
        async with serving(scripted(script)) as toy:
            answers.append(await call(toy.app, "/v1/completions", {**ASKED, **fields}))

    run(ask)
    return answers[0]


@pytest.mark.parametrize("settings", SEARCHES, ids=lambda settings: [*settings][1])
def test_choices_are_the_models_own(settings):
    async def ask():
        async with serving(scripted(script)) as toy:
            alone = await toy.llm.generate(
                "xyz", max_new_tokens=7, num_return_sequences=2, **settings
            )
            answer = await call(toy.app, "/v1/completions", {**ASKED, **settings})
            assert answer.status == 200, answer.body
            choices = answer.data["choices"]
            told = [(one["text"], one["score"]) for one in choices]
            assert told == [(one.text, one.score) for one in alone]
            told = [one.get("inclusion_probability") for one in choices]
            assert told == [one.inclusion_probability for one in alone]

    run(ask)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"num_beams": 4, "num_beam_groups": 3}, "num_beam_groups=3 does not divide num_beams=4"),
        ({"num_beams": 4, "force_words": [1]}, "force_words=[1] must be a list of texts"),
        ({"num_beams": 2, "force_words": ["x" * 30]}, "force_words takes"),
        ({"stochastic_beams": True}, "stochastic_beams=True has no effect without num_beams"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, words):
    answer = asked(**fields)
    assert answer.status == 400
    assert words in answer.error["message"]
