"""Stochastic beams on distributions that are small enough to know all texts of."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from support.searches import run_search, texts_of

from foretell.config import GenerationConfig
from foretell.decoding.strategies.stochastic import StochasticSearch

VOCAB, EOS, LENGTH = 4, 3, 3
PROMPT = [1]
RUNS = 4000


def rows_after(sequences):
    """A row for each sequence, by whims that depend on all of its tokens."""
    return [
        np.random.default_rng([*tokens]).standard_normal(VOCAB).astype(np.float32) * 1.3
        for tokens in sequences
    ]


def every_text():
    """Log-probabilities of all texts of at most LENGTH tokens, exactly."""
    found = {}
    for tokens in itertools.product(range(VOCAB), repeat=LENGTH):
        end = tokens.index(EOS) + 1 if EOS in tokens else LENGTH
        total = 0.0
        for place in range(end):
            row = rows_after([[*PROMPT, *tokens[:place]]])[0].astype(np.float64)
            total += row[tokens[place]] - np.log(np.exp(row).sum())
        found[tokens[:end]] = total
    return found


TEXTS = every_text()


def drawn(num_beams, seed, **settings):
    """The search of one seed."""
    config = GenerationConfig(
        stochastic_beams=True, num_beams=num_beams, max_new_tokens=LENGTH, seed=seed, **settings
    )
    return run_search(StochasticSearch, rows_after, PROMPT, [EOS], config, VOCAB)


@pytest.fixture(scope="module")
def searches():
    return [drawn(3, seed) for seed in range(RUNS)]


def in_order(probabilities, count):
    """The probability of each ordered draw without replacement, exactly."""
    for texts in itertools.permutations(probabilities, count):
        probability, left = 1.0, 1.0
        for text in texts:
            probability *= probabilities[text] / left
            left -= probabilities[text]
        yield texts, probability


def test_all_texts_are_there():
    assert math.fsum(map(math.exp, TEXTS.values())) == pytest.approx(1)


def test_scores_are_log_probabilities(searches):
    for search in searches[:50]:
        found = texts_of(search)
        assert len({tuple(tokens) for tokens, _ in found}) == 3
        for tokens, score in found:
            assert score == pytest.approx(TEXTS[tuple(tokens)], rel=1e-6)


def test_the_first_text_is_drawn_by_the_models_probabilities(searches):
    counts = Counter(tuple(texts_of(search)[0][0]) for search in searches)
    expected = {text: RUNS * math.exp(total) for text, total in TEXTS.items()}
    rare = [text for text, number in expected.items() if number < 5]
    groups = [[text] for text in expected if text not in rare] + [rare]
    chi_square = 0.0
    for group in groups:
        wanted = sum(expected[text] for text in group)
        if wanted:
            chi_square += (sum(counts[text] for text in group) - wanted) ** 2 / wanted
    freedom = len(groups) - 1
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)


def test_inclusion_frequencies_are_those_of_drawing_without_replacement(searches):
    probabilities = {text: math.exp(total) for text, total in TEXTS.items()}
    theory: Counter = Counter()
    for texts, probability in in_order(probabilities, 3):
        for text in texts:
            theory[text] += probability
    assert math.fsum(theory.values()) == pytest.approx(3)
    counts = Counter(tuple(tokens) for search in searches for tokens, _ in texts_of(search))
    for text, probability in theory.items():
        deviation = math.sqrt(RUNS * probability * (1 - probability))
        assert abs(counts[text] - RUNS * probability) < 4.5 * deviation + 1


@pytest.mark.parametrize("num_texts", [1, 2, 3])
def test_importance_weights_estimate_means_without_bias(searches, num_texts):
    """The estimates' mean is within five standard errors of the mean over all texts."""
    for function in (len, lambda text: float(text[0] == 0), lambda text: 1.0):
        true = math.fsum(math.exp(total) * function(text) for text, total in TEXTS.items())
        estimates = []
        for search in searches:
            estimate = 0.0
            for one in search.hypotheses[:num_texts]:
                text = tuple(node.token_id for node in one.node.path())
                weight = math.exp(one.score) / search.inclusion_probability(one, num_texts)
                estimate += weight * function(text)
            estimates.append(estimate)
        error = np.std(estimates) / math.sqrt(len(estimates))
        assert abs(np.mean(estimates) - true) < 5 * error + 1e-9


def test_beams_for_all_texts_find_all_and_each_surely():
    search = drawn(len(TEXTS) + 5, seed=3)
    assert {tuple(tokens) for tokens, _ in texts_of(search)} == {*TEXTS}
    for one in search.hypotheses:
        assert search.inclusion_probability(one, len(TEXTS) + 5) == 1.0


def test_a_seed_repeats_and_another_differs():
    assert texts_of(drawn(3, 5)) == texts_of(drawn(3, 5))
    assert len({tuple(tuple(tokens) for tokens, _ in texts_of(drawn(3, s))) for s in range(9)}) > 4


def test_samplers_shape_what_is_drawn():
    """With top_k=1 one text alone is possible, and is drawn surely."""
    search = drawn(3, 4, top_k=1)
    (found,) = search.hypotheses
    assert (found.score, search.inclusion_probability(found, 1)) == (0.0, 1.0)
    cold = [texts_of(drawn(2, seed, temperature=0.2))[0] for seed in range(60)]
    best = max(TEXTS, key=TEXTS.get)
    assert sum(tuple(tokens) == best for tokens, _ in cold) > 20


def test_what_was_all_but_certain_to_be_drawn_has_probability_1():
    config = GenerationConfig(
        stochastic_beams=True, num_beams=2, max_new_tokens=1, temperature=1e-3
    )
    falling = -np.arange(VOCAB, dtype=np.float32)
    search = run_search(
        *(StochasticSearch, lambda sequences: [falling.copy() for _ in sequences]),
        *(PROMPT, [EOS], config, VOCAB),
    )
    assert search.inclusion_probability(search.hypotheses[0], 2) == 1.0
