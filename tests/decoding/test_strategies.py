from dataclasses import dataclass, field

import numpy as np
import pytest
from support.strategies import answer_of

from foretell.config import GenerationConfig
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.decoding.softmax import log_softmax, softmax
from foretell.decoding.strategies.base import Choices, StrategyContext
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.errors import ConfigError, NumericalError


@dataclass
class Line:
    index: int = 0
    tokens: list[int] = field(default_factory=lambda: [1, 2])
    num_prompt_tokens: int = 2


def one_token(config, size=50):
    return SamplingStrategy(config, StrategyContext(ChainContext(size)))


def tokens_of(strategy, rows, lines):
    """The token of each row; each row has one choice."""
    answer = answer_of(strategy, [*rows], lines)
    assert [choice.parent for choice in answer.choices] == [*range(len(rows))]
    assert answer.emitted == ()
    return [token for choice in answer.choices for token in choice.tokens]


def rows_of(number, size=50, seed=0):
    return (np.random.default_rng(seed).normal(size=(number, size)) * 3).astype(np.float32)


def test_greedy_takes_each_rows_maximum():
    rows = rows_of(3)
    tokens = tokens_of(one_token(GenerationConfig()), rows, [Line(index) for index in range(3)])
    assert [token.token_id for token in tokens] == rows.argmax(axis=1).tolist()
    assert all(not token.reports for token in tokens)


def test_a_row_draws_the_same_whatever_is_beside_it():
    config = GenerationConfig(temperature=1.3, top_k=20, seed=9)
    lines = [Line(index, list(range(5 + index))) for index in range(4)]
    together = tokens_of(one_token(config), rows_of(4), lines)
    for index, line in enumerate(lines):
        alone = tokens_of(one_token(config), rows_of(4)[index : index + 1], [line])
        assert alone[0].token_id == together[index].token_id


@pytest.mark.parametrize("stage", ["raw", "processed"])  # in one call in C++; by a Recorder
@pytest.mark.parametrize(("num_top", "followed"), [(2, 5), (10, 10)])
def test_as_many_others_are_traced_as_are_reported(stage, num_top, followed):
    config = GenerationConfig(
        temperature=0.5, seed=1, trace=True, logprobs=num_top, logprobs_stage=stage
    )
    (token,) = tokens_of(one_token(config), rows_of(1), [Line()])
    ranks = [one.rank for one in (token.trace.chosen, *token.trace.runners_up)]
    others = [rank for rank in range(1, followed + 2) if rank != token.trace.chosen.rank]
    assert ranks[1:] == others[:followed]


def test_reported_logprobs_are_the_raw_models():
    config = GenerationConfig(temperature=0.5, top_k=2, seed=1, logprobs=3)
    expected = log_softmax(rows_of(1)[0])
    (token,) = tokens_of(one_token(config), rows_of(1), [Line()])
    report = token.reports["raw"]
    assert report.chosen.logprob == pytest.approx(expected[token.token_id], abs=1e-12)
    assert [entry.token_id for entry in report.top] == np.argsort(-expected)[:3].tolist()


def test_sampled_frequencies_are_the_chains_distribution():
    config = GenerationConfig(temperature=0.7, top_k=8, top_p=0.9, seed=3)
    row = rows_of(1, size=30)[0]
    final = row.copy()
    for stage in build_chain(config, ChainContext(30)):
        stage.processor(final, Line())
    probabilities = softmax(final)
    strategy, number = one_token(config, 30), 5000
    lines = (Line(0, [0] * (2 + at)) for at in range(number))
    tokens = [strategy.choose(row.copy(), line, strategy.stages(line)).token_id for line in lines]
    counts = np.bincount(tokens, minlength=30)
    kept = probabilities > 0
    assert 2 < kept.sum() < 8  # top-p cut some of what top-k left
    assert counts[~kept].sum() == 0
    expected = probabilities[kept] * number
    chi_square = float(((counts[kept] - expected) ** 2 / expected).sum())
    assert chi_square < 22.46  # the 0.999 quantile for 6 degrees of freedom


def test_sampling_without_a_seed_is_refused():
    config = GenerationConfig(temperature=0.7)
    with pytest.raises(ConfigError, match="seed"):
        one_token(config)
    assert tokens_of(one_token(config.with_seed()), rows_of(1), [Line()])


@pytest.mark.parametrize(
    "settings",
    [{}, {"seed": 1, "top_k": 5}, {"seed": 1, "top_p": 0.5}, {"typical_p": 0.5, "seed": 1}],
)
def test_nan_is_refused_before_any_processor(settings):
    rows = rows_of(1)
    rows[0, 7] = np.nan
    with pytest.raises(NumericalError, match="NaN"):
        answer_of(one_token(GenerationConfig(**settings)), [*rows], [Line()])


def test_a_probe_keeps_a_copy_and_ends():
    rows = rows_of(1)
    probe = LogitsProbe()
    assert probe.step(rows, [Line()]) == Choices([])
    rows[:] = 0
    np.testing.assert_array_equal(probe.row, rows_of(1)[0])
