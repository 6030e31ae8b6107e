"""Searches where all texts are known: what enough beams find, and what must never happen."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from support.searches import run_search, texts_of

from benchmarks.oracles.searches import random_words, rows_after
from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_search import BeamSearch
from foretell.decoding.strategies.constrained import ConstrainedSearch
from foretell.decoding.strategies.diverse import DiverseSearch
from foretell.decoding.strategies.forced_words import ForcedWords
from foretell.errors import ConfigError

VOCAB, EOS = 4, 3
PROMPT = [2, 1]


def rows(sequences):
    return rows_after(sequences, VOCAB)


def all_texts(length, eos=EOS):
    """Every text of at most so many tokens, with the sum of its log-probabilities."""
    found = {}
    for tokens in itertools.product(range(VOCAB), repeat=length):
        end = tokens.index(eos) + 1 if eos in tokens else length
        total = 0.0
        for place in range(end):
            row = rows([[*PROMPT, *tokens[:place]]])[0].astype(np.float64)
            total += row[tokens[place]] - np.log(np.exp(row).sum())
        found[tokens[:end]] = total
    return found


def config_of(**settings):
    return GenerationConfig(**{"length_penalty": 0.0, "early_stopping": "never", **settings})


def has_word(text, alternatives):
    return any(
        tuple(text[start : start + len(one)]) == tuple(one)
        for one in alternatives
        for start in range(len(text) - len(one) + 1)
    )


def has_all(text, words):
    return all(has_word(text, word if isinstance(word[0], list) else [word]) for word in words)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_as_many_beams_as_texts_are_an_enumeration(length):
    texts = all_texts(length)
    config = config_of(num_beams=4**length, max_new_tokens=length)
    found = texts_of(run_search(BeamSearch, rows, PROMPT, [EOS], config, VOCAB))
    assert [tuple(tokens) for tokens, _ in found] == sorted(texts, key=texts.get, reverse=True)
    for tokens, score in found:
        assert score == pytest.approx(texts[tuple(tokens)], rel=1e-5)


@pytest.mark.parametrize("groups", [2, 3])
def test_groups_with_enough_beams_find_the_optimum(groups):
    texts = all_texts(4)
    config = config_of(
        num_beams=4**4 * groups, num_beam_groups=groups, diversity_penalty=0.7, max_new_tokens=4
    )
    (tokens, score), *_ = texts_of(run_search(DiverseSearch, rows, PROMPT, [EOS], config, VOCAB))
    assert tuple(tokens) == max(texts, key=texts.get)
    assert score == pytest.approx(max(texts.values()), rel=1e-5)


@pytest.mark.parametrize("number", range(40))
def test_enough_beams_find_the_best_text_with_all_words(number):
    """Told by the automaton: a word that begins within another one's lost beginning is not seen."""
    choose = random.Random(number)
    words = random_words(choose, [0, 1, 2])
    forced = ForcedWords([word if isinstance(word[0], list) else [word] for word in words])
    texts = {
        text: total
        for text, total in all_texts(5).items()
        if forced.after_all(text).is_complete and has_all(text, words)
    }
    if not texts:
        return
    config = config_of(num_beams=1000, max_new_tokens=5, force_words=words)
    (tokens, score), *_ = texts_of(
        run_search(ConstrainedSearch, rows, PROMPT, [EOS], config, VOCAB)
    )
    assert tuple(tokens) == max(texts, key=texts.get)
    assert score == pytest.approx(max(texts.values()), rel=1e-5)


@pytest.mark.parametrize("number", range(150))
def test_a_text_with_all_words_is_found_wherever_there_is_one(number):
    choose = random.Random(f"limits {number}")
    vocab, eos = choose.choice([5, 9, 20]), []
    ids = [*range(vocab)]
    if choose.random() < 0.7:
        eos = choose.sample(ids, choose.choice([1, 2]))
    words = random_words(choose, [one for one in ids if one not in eos])
    forced = ForcedWords([word if isinstance(word[0], list) else [word] for word in words])
    least = forced.least(forced.start)
    settings = {
        "num_beams": choose.choice([2, 3, 5]),
        "max_new_tokens": least + choose.choice([0, 0, 1, 2, 6]),
        "early_stopping": choose.choice([True, False, "never"]),
        "length_penalty": choose.choice([0.0, 1.0, -1.0, 2.0]),
    }
    config = GenerationConfig(force_words=words, **settings)
    search = run_search(
        *(ConstrainedSearch, lambda x: rows_after(x, vocab), PROMPT, eos, config, vocab)
    )
    found = texts_of(search)
    assert found
    for tokens, _ in found:
        assert has_all(tokens, words)


def test_words_that_do_not_fit_are_refused():
    from foretell.decoding.strategies.constrained import ConstrainedStrategy

    config = GenerationConfig(num_beams=2, force_words=[[1, 2], [[3, 4, 5], [6]]])
    ConstrainedStrategy.check(config, 3)
    with pytest.raises(ConfigError, match=r"force_words takes 3 tokens at least, but .* for 2"):
        ConstrainedStrategy.check(config, 2)


def test_progress_through_words():
    words = ForcedWords([[[1, 2, 3]], [[4], [5, 6]]])
    start = words.start
    assert (words.bank(start), words.least(start)) == (0, 4)
    assert words.next_tokens(start) == [1, 4, 5]
    begun = words.after_all([9, 1, 2])
    assert (words.bank(begun), words.least(begun), words.next_tokens(begun)) == (2, 2, [3])
    lost = words.after(begun, 4)  # it breaks the word, and is not looked at anew
    assert (words.bank(lost), words.next_tokens(lost)) == (0, [4, 5, 1])
    assert words.after_all([4, 1, 2, 3]).is_complete
    assert not words.after_all([4, 1, 2]).is_complete
    done = words.after_all([5, 6])
    assert (words.bank(done), words.least(done)) == (3, 3)


def test_a_word_may_have_any_number_of_tokens():
    ids = [*range(5000)]
    words = ForcedWords([[ids, [*ids, 7], [0, 0]]])
    assert words.least(words.start) == 2
    assert words.after_all(ids).is_complete
    assert not words.after_all(ids[:-1]).is_complete
    assert words.bank(words.after_all(ids[:-1])) == 4999


def test_of_alternatives_that_begin_alike_the_shorter_is_enough():
    words = ForcedWords([[[1, 2], [1], [3, 4]]])
    assert words.after_all([1]).is_complete
    assert words.next_tokens(words.start) == [1, 3]
