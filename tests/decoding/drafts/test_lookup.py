"""Drafts by looking up: what is proposed, and what is learnt of it."""

from types import SimpleNamespace

import pytest

from foretell.config import GenerationConfig
from foretell.decoding.drafts.base import MAX_CHANCE, NO_DRAFT
from foretell.decoding.drafts.lookup import CHANCES, LookupDrafter

GREEDY = GenerationConfig()


def followed(tokens, config=GREEDY, corpus=()):
    drafter = LookupDrafter(corpus)
    history = SimpleNamespace(index=0, tokens=tokens, num_prompt_tokens=len(tokens))
    follower = drafter.follow(history, config)

    def propose(most=7):
        (draft,) = drafter.propose([follower], most, 0.0)
        return draft

    return propose


def test_what_stood_behind_the_longest_match_is_proposed():
    propose = followed([1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 9, 9, 1, 2, 3])
    assert [*propose(4).tokens] == [4, 5, 6, 7]
    assert [*propose(0).tokens] == []


def test_a_text_that_repeats_its_end_goes_round():
    assert [*followed([5, 1, 2, 1, 2, 1, 2])().tokens] == [1, 2, 1, 2, 1, 2, 1]
    assert [*followed([5, 1, 1])().tokens] == [1] * 7


def test_a_text_without_a_match_has_no_draft():
    assert followed([1, 2, 3])() is NO_DRAFT
    assert followed([1])() is NO_DRAFT


@pytest.mark.parametrize(
    ("settings", "drafts"),
    [
        ({}, True),
        ({"temperature": 0.9, "seed": 1}, True),
        ({"temperature": 1.0, "seed": 1}, False),
        ({"top_k": 5, "seed": 1}, False),
        ({"temperature": 0.9, "dynatemp_range": 0.5, "seed": 1}, False),
    ],
)
def test_one_token_says_too_little_where_draws_are_as_random_as_the_model(settings, drafts):
    config = GenerationConfig(**settings)
    assert bool(followed([1, 2, 3, 4, 2], config)().tokens) is drafts
    assert followed([1, 2, 3, 4, 1, 2], config)().tokens


def test_a_corpus_counts_where_its_match_is_longer():
    corpus = [7, 8, 1, 2, 3, 50, 51]
    assert [*followed([9, 2, 3, 4, 1, 2, 3], corpus=corpus)().tokens] == [50, 51]
    assert [*followed([1, 2, 3, 4, 1, 2, 3], corpus=corpus)(2).tokens] == [4, 1]
    at_its_end = followed([9, 50, 51], corpus=corpus)
    assert at_its_end() is NO_DRAFT


def test_chances_follow_what_was_right_and_grow_with_the_match():
    tokens = [1, 2, 3, 4, 5, 6, 7, 8, 1]
    propose = followed(tokens)
    first = propose()
    assert [*first.chances] == [CHANCES[level] for level in (0, 1, 2, 2, 3, 3, 3)]
    tokens += [2, 3, 4, 5]  # all as foreseen
    later = propose()
    assert [*later.tokens[:3]] == [6, 7, 8]
    assert later.chances[0] == CHANCES[3]  # of matches as long nothing is known yet
    tokens.append(9)  # not as foreseen
    assert propose() is NO_DRAFT
    tokens.append(1)
    assert CHANCES[0] < propose().chances[0]
    assert CHANCES[2] < propose().chances[2]


def test_what_was_not_drafted_is_learnt_too_and_nothing_is_ever_certain():
    tokens = [1, 2, 3, 4]
    propose = followed(tokens)
    for _ in range(3000):
        tokens.append(tokens[-4])
        draft = propose(1)
    assert [*draft.chances] == [MAX_CHANCE]
    spoilt = [1, 2] * 4
    propose = followed(spoilt)
    before = propose(1).chances[0]
    for step in range(40):
        spoilt += [100 + step, 1, 2]
        after = propose(1)
    assert after.chances[0] < before / 2
