"""Many requests at once over HTTP: each has the answer of the model alone, whoever leaves."""

from __future__ import annotations

import asyncio
import random
import warnings
from functools import partial

import pytest
from support.served import served, toy_alone
from support.toy_async import scripted

from benchmarks.stress.served import Trial
from benchmarks.stress.served_requests import alone, make_wishes

SIZES = {"context_length": 1024, "num_blocks": 300}


@pytest.mark.parametrize("max_waiting", [None, 64])
def test_each_answer_is_that_of_the_model_alone(max_waiting):
    wishes = make_wishes(60, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with toy_alone(scripted(**SIZES)) as llm:
            expected = [alone(llm, wish) for wish in wishes]
    assert sum(one is not None for one in expected) >= 40
    with served(partial(scripted, **SIZES), max_waiting=max_waiting) as one:
        trial = Trial(wishes, expected, one.url.removesuffix("/v1"))
        asyncio.run(trial.run(32, random.Random(5), leaving=0.5))
    assert trial.complaints == []
    assert trial.counts["right"] == len(wishes)
    assert trial.counts["left"] > 10
