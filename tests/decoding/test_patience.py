"""`patience` of beam searches against the algorithm of the paper (Kasai et al. 2022, FCFS)."""

from __future__ import annotations

import numpy as np
import pytest
from support.searches import run_search, texts_of

from benchmarks.oracles.searches import rows_after
from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_search import BeamSearch
from foretell.decoding.strategies.diverse import DiverseSearch
from foretell.errors import ConfigError

VOCAB, EOS, LENGTH = 12, (3, 5), 12


def rows(sequences):
    return rows_after(sequences, VOCAB)


def found_with(prompt, **settings):
    config = GenerationConfig(**{"num_beams": 4, "max_new_tokens": LENGTH, **settings})
    return texts_of(run_search(BeamSearch, rows, prompt, EOS, config, VOCAB))


def by_the_paper(prompt, num_beams, most):
    """First come, first served: stop with so many finished texts; those of a step count alike."""
    live, finished = [(0.0, [])], []
    for _ in range(LENGTH):
        scored = []
        for total, tokens in live:
            row = rows([[*prompt, *tokens]])[0].astype(np.float64)
            logprobs = row - np.log(np.exp(row).sum())
            scored += [(total + logprobs[one], [*tokens, one]) for one in range(VOCAB)]
        best = sorted(scored, reverse=True)[: 3 * num_beams]
        is_last = len(best[0][1]) == LENGTH
        ended = [one for one in best[:num_beams] if one[1][-1] in EOS or is_last]
        finished += ended
        live = [one for one in best if one[1][-1] not in EOS][:num_beams]
        if len(finished) >= most:
            break
    ranked = [(total / len(tokens), tokens) for total, tokens in finished]
    return [tokens for _, tokens in sorted(ranked, reverse=True)[:most]]


@pytest.mark.parametrize("patience", [0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("prompt", [[1], [2, 7], [9, 0, 4], [6, 6]])
def test_a_search_ends_with_so_many_texts(prompt, patience):
    found = found_with(prompt, patience=patience)
    assert [tokens for tokens, _ in found] == by_the_paper(prompt, 4, round(4 * patience))


@pytest.mark.parametrize("prompt", [[1], [2, 7], [9, 0, 4]])
def test_a_patience_of_one_is_early_stopping(prompt):
    assert found_with(prompt, patience=1) == found_with(prompt, early_stopping=True)


def test_a_group_ends_with_its_share():
    settings = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}
    config = GenerationConfig(**settings, max_new_tokens=LENGTH, patience=0.5)
    search = run_search(DiverseSearch, rows, [1], EOS, config, VOCAB)
    assert len(search.hypotheses) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 2.0}, "patience=2.0 has no effect without num_beams above 1"),
        ({"num_beams": 2, "patience": 0.0}, "patience=0.0 is out of range"),
        ({"num_beams": 2, "patience": 2.0, "early_stopping": "never"}, "contradicts early_stop"),
        (
            {"num_beams": 4, "patience": 0.5, "num_return_sequences": 3},
            "num_return_sequences=3 is above the 2 with which a search of num_beams=4 ends",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(**settings)
