"""The record of a step against a plain float64 computation of the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.sampler import draw, greedy
from foretell.decoding.trace import Recorder
from foretell.errors import NumericalError


@dataclass(frozen=True)
class MyStage:
    """What a recorder reads of a stage, and what it does."""

    name: str
    processor: Any
    setting: str = ""


def keep_largest(k):
    def process(row, history):
        row[row < np.sort(row)[-min(k, len(row))]] = -np.inf

    return MyStage("keep", process, str(k))


def add(ids, amount):
    def process(row, history):
        places = np.array(ids) % len(row)
        row[np.setdiff1d(places, row.argmax())] += np.float32(amount)

    return MyStage("add", process, str(amount))


def force_best_and(token):
    """The last largest alone, and one that may have been ruled out before."""

    def process(row, history):
        best = row.max()
        row[row < best] = -np.inf
        row[token % len(row)] = best

    return MyStage("force", process)


@st.composite
def short_rows(draw):
    """A few logits with ties and -inf; at least one is finite."""
    values = st.one_of(
        st.sampled_from([-3.5, 0.0, 0.25, 2.0, 7.5]), st.floats(-30, 30, width=32), st.just(-np.inf)
    )
    row = draw(hnp.arrays(np.float32, st.integers(1, 300), elements=values))
    assume(np.isfinite(row.max()))
    return row


@st.composite
def long_rows(draw):
    """A row of several blocks from a seed, with ties; in some, tokens are ruled out."""
    size = draw(st.integers(5_000, 30_000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    row = rng.normal(0, draw(st.sampled_from([0.5, 2.0, 6.0])), size).astype(np.float32)
    row = row.round(draw(st.sampled_from([0, 1, 6])))
    row[rng.random(size) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = -np.inf
    row[rng.integers(size)] = 9.0
    return row


IDS = st.lists(st.integers(0, 200_000), min_size=1, max_size=30)
STAGES = st.lists(
    st.one_of(
        st.sampled_from([0.3, 0.8, 2.0]).map(lambda t: MyStage("warm", Temperature(t), str(t))),
        st.sampled_from([1, 3, 40, 5000]).map(keep_largest),
        st.builds(add, IDS, st.sampled_from([-np.inf, -2.0, 0.5, 40.0])),
        st.integers(0, 200_000).map(force_best_and),
        st.just(MyStage("nothing", lambda row, history: None)),
    ),
    max_size=5,
)


def follow(row, stages, num_runners_up=5):
    """The recorder, and copies of the row after each stage."""
    row = row.copy()
    recorder, rows = Recorder(row, num_runners_up), [row.copy()]
    for stage in stages:
        stage.processor(row, None)  # these look at no history
        recorder.after(stage, row)
        rows.append(row.copy())
    return recorder, rows


def probabilities(row):
    weights = np.exp(row.astype(np.float64) - float(row.max()))
    return weights / weights.sum()


def entropy(p):
    return -sum(x * math.log(x) for x in p[p > 0].tolist())


def top(row, count):
    order = np.argsort(-row, kind="stable")[:count]
    return [i for i in order.tolist() if row[i] > -np.inf]


def check_stages(record, stages, rows):
    odds = [probabilities(row) for row in rows]
    for place, (found, row, p) in enumerate(zip(record.stages, rows, odds, strict=True)):
        name, setting = ("raw", "") if place == 0 else (stages[place - 1].name, None)
        assert found.name == name
        assert setting in (None, found.setting)
        assert found.num_candidates == np.count_nonzero(row > -np.inf)
        mass = 1 if place == 0 else odds[place - 1][row > -np.inf].sum()
        assert found.mass == pytest.approx(mass, rel=1e-9, abs=1e-12)
        assert found.entropy == pytest.approx(entropy(p), rel=1e-9, abs=1e-9)


def check_candidate(found, rows):
    values = [float(row[found.token_id]) for row in rows]
    assert found.rank == 1 + np.count_nonzero(rows[0] > rows[0][found.token_id])
    assert found.logits == tuple(None if v == -math.inf else v for v in values)
    expected = [probabilities(row)[found.token_id] for row in rows]
    assert found.probabilities == pytest.approx(expected, rel=1e-9, abs=1e-300)
    gone = [v == -math.inf for v in values]
    lasting = [i for i in range(len(gone)) if all(gone[i:])]
    assert found.removed_by == (lasting[0] if lasting else None)


def check_record(record, stages, rows, token, num_runners_up=5):
    check_stages(record, stages, rows)
    assert record.chosen.token_id == token
    ids = {
        other
        for row in (rows[0], rows[-1])
        for other in [t for t in top(row, num_runners_up + 1) if t != token][:num_runners_up]
    }
    found = [candidate.token_id for candidate in record.runners_up]
    assert sorted(found) == sorted(ids)
    ranks = [candidate.rank for candidate in record.runners_up]
    assert ranks == sorted(ranks)
    for candidate in (record.chosen, *record.runners_up):
        check_candidate(candidate, rows)


@given(short_rows(), STAGES, st.floats(0, 1, exclude_max=True))
def test_a_record_agrees_with_plain_sums(row, stages, uniform):
    recorder, rows = follow(row, stages)
    token = draw(rows[-1], uniform)
    record = recorder.finish(token, uniform)
    check_record(record, stages, rows, token)
    p = probabilities(rows[-1])
    assert record.draw.uniform == uniform
    assert record.draw.low == pytest.approx(p[:token].sum(), abs=1e-9)
    assert record.draw.high == pytest.approx(p[: token + 1].sum(), abs=1e-9)
    assert record.draw.low - 1e-8 <= uniform <= record.draw.high + 1e-8


@settings(max_examples=40)
@given(long_rows(), STAGES, st.floats(0, 1, exclude_max=True))
def test_long_rows_agree_too(row, stages, uniform):
    recorder, rows = follow(row, stages)
    token = draw(rows[-1], uniform)
    record = recorder.finish(token, uniform)
    check_record(record, stages, rows, token)
    p = probabilities(rows[-1])
    assert record.draw.low == pytest.approx(p[:token].sum(), abs=1e-9)
    assert record.draw.high == pytest.approx(p[: token + 1].sum(), abs=1e-9)


@given(short_rows(), STAGES, st.integers(0, 8))
def test_greedy_draws_nothing(row, stages, num_runners_up):
    recorder, rows = follow(row, stages, num_runners_up)
    token = greedy(rows[-1])
    record = recorder.finish(token, None)
    assert record.draw is None
    check_record(record, stages, rows, token, num_runners_up)


@pytest.mark.parametrize("amount", [-np.inf, -40.0, -1.0, 30.0])
def test_one_token_with_nearly_all_the_mass_may_change(amount):
    rng = np.random.default_rng(3)
    row = rng.normal(0, 1, 20_000).astype(np.float32)
    row[11_111] = 40.0  # all but e^-30 of it

    def process(row, history):
        row[11_111] += np.float32(amount)

    stages = [MyStage("add", process), MyStage("again", process), keep_largest(9)]
    recorder, rows = follow(row, stages)
    check_record(recorder.finish(greedy(rows[-1]), None), stages, rows, greedy(rows[-1]))


def test_the_row_is_left_alone_and_later_steps_do_not_touch_a_record():
    rng = np.random.default_rng(4)
    first, second = rng.normal(0, 3, (2, 20_000)).astype(np.float32)
    before = first.copy()
    stages = [MyStage("warm", Temperature(0.5), "0.5")]
    recorder = Recorder(first)
    np.testing.assert_array_equal(first, before)
    record = recorder.finish(greedy(first), 0.5)
    kept = repr(record)
    for _ in range(3):
        other, rows = follow(second, stages)
        check_record(other.finish(7, None), stages, rows, 7)
    assert repr(record) == kept


def test_recorders_may_overlap():
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 3, (4, 20_000)).astype(np.float32)
    for row in rows:
        Recorder(row).finish(0, None)  # leaves rows behind
    recorders = [Recorder(row) for row in rows]
    for recorder, row in zip(recorders, rows, strict=True):
        check_record(recorder.finish(greedy(row), None), [], [row], greedy(row))


def test_broken_numbers_count_as_ruled_out_or_largest():
    row = np.array([1.0, np.nan, np.inf, -np.inf], np.float32)
    record = Recorder(row).finish(2, None)
    assert record.stages[0].num_candidates == 2
    assert record.chosen.probabilities == (1.0,)
    assert [candidate.token_id for candidate in record.runners_up] == [0]
    assert np.isnan(row[1])


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_row_without_a_possible_token_is_refused(value):
    with pytest.raises(NumericalError, match="maximum"):
        Recorder(np.full(5, value, np.float32))
