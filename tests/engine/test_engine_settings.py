"""Limits of an engine, and what it tells of itself."""

import math

import pytest
from support.engine_oracle import run, scripted

from benchmarks.stress.answers import request
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.engine.stats import SPEED_STEPS, EngineStats, Meter
from foretell.errors import ConfigError, QueueFullError, RequestError

SAMPLING = {"temperature": 1.0, "seed": 1}


@pytest.mark.parametrize("name", ["max_batch_tokens", "max_running", "max_waiting"])
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "8"])
def test_a_limit_is_a_number_from_one(name, value):
    with pytest.raises(ConfigError, match=f"{name}={value!r} must be an integer ≥ 1"):
        EngineSettings(**{name: value})


def test_only_max_running_cannot_be_left_open():
    EngineSettings(max_batch_tokens=None, max_waiting=None)
    with pytest.raises(ConfigError, match=r"max_running=None must be an integer ≥ 1$"):
        EngineSettings(max_running=None)


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_prefix_caching_is_true_or_false(value):
    with pytest.raises(ConfigError, match="must be True or False"):
        EngineSettings(prefix_caching=value)


@pytest.mark.parametrize(("wanted", "most"), [(None, 64), (5, 5), (1000, 64)])
def test_a_batch_has_no_more_tokens_than_the_settings_and_the_backend_allow(wanted, most):
    backend = scripted()
    engine = Engine(backend, EngineSettings(max_batch_tokens=wanted))
    engine.add(request([1] * 200, max_new_tokens=1))
    run(engine)
    assert max(len(batch.tokens) for batch in backend.batches) == most


def test_no_more_run_than_a_batch_has_tokens():
    backend = scripted()
    engine = Engine(backend, EngineSettings(max_batch_tokens=3, max_running=100))
    for one in range(8):
        engine.add(request([one], max_new_tokens=3))
    run(engine)
    assert max(len(batch.starts) - 1 for batch in backend.batches) == 3
    with pytest.raises(RequestError, match="no more than 3 can run at once"):
        engine.check(request([1], max_new_tokens=1, num_return_sequences=4, **SAMPLING))


def test_a_search_keeps_the_room_for_beams_that_come_back():
    """With four tokens allowed, one beam has four continuations, and these have sixteen."""
    backend = scripted()
    engine = Engine(backend, EngineSettings(max_batch_tokens=8))
    beams = {"num_beams": 5, "prefix_allowed_tokens_fn": lambda ids: [1, 2, 3, 4]}
    engine.add(request([1], max_new_tokens=4, **beams))
    for one in range(4):
        engine.add(request([one], max_new_tokens=6))
    run(engine)
    assert max(len(batch.starts) - 1 for batch in backend.batches) == 8


def test_one_more_than_may_wait_is_refused_and_room_comes_with_the_next_step():
    engine = Engine(scripted(), EngineSettings(max_running=1, max_waiting=2))
    ids = [engine.add(request([1], max_new_tokens=3)) for _ in range(2)]
    with pytest.raises(QueueFullError, match="max_waiting=2: that many requests are waiting"):
        engine.add(request([1], max_new_tokens=3))
    engine.step()
    ids.append(engine.add(request([1], max_new_tokens=3)))
    with pytest.raises(QueueFullError):
        engine.add(request([1], max_new_tokens=3))
    engine.abort(ids[1])
    ids.append(engine.add(request([1], max_new_tokens=3)))
    assert [*run(engine)] == [ids[0], ids[2], ids[3]]


def test_what_could_never_run_is_told_so_also_where_the_queue_is_full():
    engine = Engine(scripted(), EngineSettings(max_waiting=1))
    engine.add(request([1], max_new_tokens=1))
    with pytest.raises(RequestError, match="the prompt has no tokens"):
        engine.add(request([], max_new_tokens=1))


def test_stats_from_the_first_request_to_the_last():
    backend = scripted(block_size=4, num_blocks=20)
    engine = Engine(backend, EngineSettings(max_running=2))
    assert engine.stats() == EngineStats(0, 0, 20, 20, 0, 0, 0, 0, 0, 0, 0.0)
    for one in range(3):
        engine.add(request([1, 2, 3, 4, one], max_new_tokens=2))
    assert (engine.stats().running, engine.stats().waiting) == (0, 3)
    engine.step()  # the first prompt; the second waits for its first block
    stats = engine.stats()
    assert (stats.running, stats.waiting) == (2, 1)
    assert (stats.free_blocks, stats.cached_blocks) == (18, 0)
    assert (stats.prompt_tokens, stats.cached_tokens, stats.generated_tokens) == (5, 0, 1)
    run(engine)
    stats = engine.stats()
    assert (stats.running, stats.waiting, stats.free_blocks) == (0, 0, 20)
    assert stats.cached_blocks == 1
    assert (stats.prompt_tokens, stats.cached_tokens, stats.generated_tokens) == (15, 8, 6)
    assert stats.hit_rate == 8 / 15
    assert stats.steps == len(backend.batches)
    assert 0 < stats.tokens_per_second < math.inf


def test_the_speed_is_that_of_the_last_steps():
    meter = Meter()
    assert meter.tokens_per_second == 0
    for _ in range(SPEED_STEPS):
        meter.generated_tokens += 4
        meter.note_step(seconds=1.0)
    assert meter.tokens_per_second == 4
    for _ in range(SPEED_STEPS // 2):
        meter.generated_tokens += 2
        meter.note_step(seconds=1.0)
    assert meter.tokens_per_second == 3
    assert meter.steps == SPEED_STEPS * 3 // 2


def test_all_samples_tokens_count():
    engine = Engine(scripted())
    engine.add(request([1, 2], max_new_tokens=5, num_return_sequences=3, **SAMPLING))
    engine.add(request([1], max_new_tokens=5, negative_prompt=[2], guidance_scale=2))
    run(engine)
    assert engine.stats().generated_tokens == 20
