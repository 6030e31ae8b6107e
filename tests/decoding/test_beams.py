"""Beam search against transformers' `generate`, on a tiny random Llama in float32.

Both see the same model's logits, so what differs would be the search's own doing. The whole way,
native backend included, is in tests/backends/native/test_beam_search.py.
"""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
import torch
from support.searches import Line, rules, run_search, texts_of
from transformers import LlamaConfig, LlamaForCausalLM

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.strategies.base import StrategyContext
from foretell.decoding.strategies.beam import BeamStrategy, Meeting
from foretell.decoding.strategies.beam_records import Node
from foretell.decoding.strategies.beam_search import BeamSearch, draw
from foretell.decoding.strategies.hypotheses import rank_of, score_of
from foretell.errors import RequestError

VOCAB = 60


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(12)  # so that some continuations are much likelier than others
    return model


def rows_of(model, sequences):
    with torch.no_grad():
        return list(model(torch.tensor(sequences)).logits[:, -1].float().numpy().copy())


def search(rows_after, prompt, eos, config, vocab_size=VOCAB):
    """The hypotheses, best first: generated tokens and score."""
    return texts_of(run_search(BeamSearch, rows_after, prompt, eos, config, vocab_size))


def random_settings(number):
    choose = random.Random(number)
    beams = choose.choice([2, 3, 4, 5, 8])
    settings = {
        "num_beams": beams,
        "num_return_sequences": choose.randint(1, beams),
        "length_penalty": choose.choice([0.0, 1.0, 0.5, 2.0, -1.0]),
        "early_stopping": choose.choice([True, False, "never"]),
        "max_new_tokens": choose.randint(1, 16),
    }
    eos = choose.sample(range(VOCAB), choose.choice([0, 1, 1, 2, 3, 6]))
    if choose.random() < 0.4:
        settings["repetition_penalty"] = choose.choice([1.2, 1.5, 0.8])
    if choose.random() < 0.3:
        settings["no_repeat_ngram_size"] = choose.choice([2, 3])
    if choose.random() < 0.3 and eos:
        settings["min_new_tokens"] = choose.randint(1, min(5, settings["max_new_tokens"]))
    return settings, eos, [choose.randrange(VOCAB) for _ in range(choose.randint(1, 10))]


@pytest.mark.parametrize("number", range(60))
def test_it_finds_what_transformers_finds(model, number):
    settings, eos, prompt = random_settings(number)
    expected = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        eos_token_id=eos or None,
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    found = search(
        lambda sequences: rows_of(model, sequences), prompt, eos, GenerationConfig(**settings)
    )[: settings["num_return_sequences"]]
    theirs = expected.sequences[:, len(prompt) :].tolist()
    assert [tokens for tokens, _ in found] == [
        tokens[: len(ours)] for tokens, (ours, _) in zip(theirs, found, strict=True)
    ]
    fill = eos[0] if eos else -1
    for tokens, (ours, _) in zip(theirs, found, strict=True):
        assert set(tokens[len(ours) :]) <= {fill}
    scores = [score for _, score in found]
    np.testing.assert_allclose(scores, expected.sequences_scores.tolist(), rtol=1e-4, atol=1e-6)


def toy_rows(sequences, vocab_size=5, spread=2.0):
    rows = []
    for tokens in sequences:
        generator = np.random.default_rng([len(tokens), *tokens])
        rows.append((generator.standard_normal(vocab_size) * spread).astype(np.float32))
    return rows


def best_by_trying_all(prompt, length, eos):
    """The likeliest continuation of `length` tokens, or of fewer that end with `eos`."""
    best = (-np.inf, None)
    for tokens in itertools.product(range(5), repeat=length):
        end = tokens.index(eos) + 1 if eos in tokens else length
        if tokens[end:] != (0,) * (length - end):
            continue  # the same continuation again
        total = 0.0
        for place in range(end):
            row = toy_rows([[*prompt, *tokens[:place]]])[0].astype(np.float64)
            total += row[tokens[place]] - np.log(np.exp(row).sum())
        best = max(best, (total, list(tokens[:end])))
    return best


@pytest.mark.parametrize("prompt", [[1], [2, 3]])
def test_enough_beams_find_the_true_optimum(prompt):
    total, tokens = best_by_trying_all(prompt, 6, eos=4)
    config = GenerationConfig(
        num_beams=1000, max_new_tokens=6, length_penalty=0.0, early_stopping="never"
    )
    (found, score), *_ = search(toy_rows, prompt, [4], config, vocab_size=5)
    assert found == tokens
    assert score == pytest.approx(total, rel=1e-5)


def test_two_beams_find_what_greedy_misses():
    """Greedy takes token 0, after which all is unlikely; token 1 leads to a certain one."""

    def rows_after(sequences):
        table = {(2,): [0.6, 0.4, 0.0], (2, 0): [0.34, 0.33, 0.33], (2, 1): [0.98, 0.01, 0.01]}
        odds = np.array([table[tuple(tokens)] for tokens in sequences])
        return list(np.log(odds + 1e-30).astype(np.float32))

    config = GenerationConfig(num_beams=2, max_new_tokens=2)
    (tokens, score), *_ = search(rows_after, [2], [], config, vocab_size=3)
    assert tokens == [1, 0]
    assert score == pytest.approx(np.log(0.4 * 0.98) / 2, rel=1e-6)


def test_sampled_continuations_are_drawn_without_replacement():
    """Ordered pairs out of two beams' tokens, against their exact probabilities."""
    rows = [np.log([0.5, 0.2]).astype(np.float32), np.log([0.6, 0.4]).astype(np.float32)]
    totals = [0.0, np.log(0.5)]
    weights = {(0, 0): 0.5, (0, 1): 0.2, (1, 0): 0.3, (1, 1): 0.2}
    whole = sum(weights.values())
    generator = np.random.default_rng(5)
    counts = dict.fromkeys(itertools.permutations(weights, 2), 0)
    for _ in range(6000):
        first, second = draw(rows, totals, 2, iter(generator.random, None))
        counts[first, second] += 1
    expected = {
        (first, second): 6000
        * (weights[first] / whole * weights[second] / (whole - weights[first]))
        for first, second in counts
    }
    chi_square = sum((counts[pair] - expected[pair]) ** 2 / expected[pair] for pair in counts)
    assert chi_square < 31.3  # 11 degrees of freedom, p = 0.001


def test_a_sampled_search_repeats_by_its_seed():
    config = GenerationConfig(num_beams=3, temperature=2.0, seed=7, max_new_tokens=8)
    found = [search(toy_rows, [1], [4], config, vocab_size=5) for _ in range(2)]
    others = [
        search(toy_rows, [1], [4], config.override(seed=seed), vocab_size=5) for seed in range(5)
    ]
    assert found[0] == found[1]
    assert any(other != found[0] for other in others)


def strategy_of(config, vocab_size=5, eos=(4,), prompt=(1,)):
    most = config.max_new_tokens
    context = ChainContext(vocab_size, frozenset(eos), len(prompt) + most)
    check = rules(prompt, eos, most)
    return BeamStrategy(config, StrategyContext(context, len(prompt), check))


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("prompt", [[1], [3, 0], [2, 2, 2]])
def test_what_is_emitted_early_is_what_is_found(prompt, samples):
    config = GenerationConfig(num_beams=3, max_new_tokens=8, num_return_sequences=samples)
    strategy = strategy_of(config, prompt=prompt)
    emitted = {sample: [] for sample in range(samples)}
    sequences, early = [list(prompt)], 0
    while sequences:
        lines = [Line(tokens, len(prompt)) for tokens in sequences]
        choices, new = strategy.step(toy_rows(sequences), lines)
        sequences = [
            sequences[one.parent] + [token.token_id for token in one.tokens] for one in choices
        ]
        for one in new:
            emitted[one.sample].append(one)
            early += bool(sequences)
    expected = search(toy_rows, prompt, [4], config, vocab_size=5)[:samples]
    for sample, (tokens, score) in enumerate(expected):
        assert [one.token.token_id for one in emitted[sample]] == tokens
        assert [one.stop_reason is None for one in emitted[sample]] == [
            *[True] * (len(tokens) - 1),
            False,
        ]
        assert emitted[sample][-1].score == score


def test_too_few_texts_are_an_error():
    config = GenerationConfig(num_beams=5, max_new_tokens=1, num_return_sequences=5)
    strategy = strategy_of(config, vocab_size=3, eos=())
    with pytest.raises(RequestError, match="num_return_sequences=5: the search found 3"):
        strategy.step([np.zeros(3, np.float32)], [Line([1], 1)])


TEXTS = [(-1.0, 1), (-7.5, 1), (-2.0, 2), (-2.0, 3), (-9.0, 3), (-1e-3, 7), (0.0, 4), (3.0, 2)]


@pytest.mark.parametrize("penalty", [-2000, -400, -60, -2, 0, 1, 5, 60, 400, 2000])
def test_texts_are_ranked_as_by_exact_fractions(penalty):
    def exact(text):
        total, length = text
        return Fraction(total) / Fraction(length) ** penalty

    found = sorted(TEXTS, key=lambda text: rank_of(*text, penalty))
    assert [exact(text) for text in found] == sorted(map(exact, TEXTS))
    for text in TEXTS:
        score = score_of(*text, float(penalty))
        exactly = exact(text)
        if abs(exactly) <= Fraction(10) ** 300 and (not exactly or abs(exactly) > 1e-300):
            assert score == pytest.approx(float(exactly), rel=1e-12)
        else:
            assert score in (0.0, math.copysign(math.inf, text[0]))


@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("penalty", [-3e38, -(2**31), -1e5, 1000, 1e5, 2**31, 2**63, 3e38])
def test_a_penalty_of_any_size_ranks_by_the_length_first(penalty, early_stopping):
    settings = {"num_beams": 4, "max_new_tokens": 6, "early_stopping": early_stopping}
    config = GenerationConfig(**settings, length_penalty=penalty)
    found = search(toy_rows, [1], [4], config, vocab_size=5)
    lengths = [len(tokens) for tokens, _ in found]
    assert lengths == sorted(lengths, reverse=penalty > 0)
    assert all(score <= 0 for _, score in found)


@pytest.mark.parametrize("number", range(30))
def test_where_all_ways_part_is_known_step_by_step(number):
    """Beams that grow, fork and die at random, some of them finished, against the whole paths."""
    choose = random.Random(number)
    meeting, live, ended = Meeting(), [None], []
    for step in range(25):
        parents = choose.choices(live, k=choose.randint(1, 4))
        live = [Node(parent, choose.randrange(2), -0.1, -0.1, step + 1) for parent in parents]
        ended = choose.sample(ended, k=min(len(ended), choose.randint(0, 2)))
        ended += [Node(live[0].parent, 9, -0.1, -0.1, step + 1)] * (choose.random() < 0.05)
        paths = [one.path() for one in (*live, *ended)]
        shared = [nodes[0] for nodes in zip(*paths, strict=False) if len({*nodes}) == 1]
        assert meeting.of([*live, *ended]) is (shared[-1] if shared else None)
