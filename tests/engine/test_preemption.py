"""Where blocks run out, what came last is preempted, and nothing is lost."""

import pytest
from support.engine_oracle import answer_by_hand, run, scripted

from benchmarks.stress.answers import request, take
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings

SMALL = {"num_blocks": 10, "block_size": 4}
SAMPLING = {"temperature": 1.2, "seed": 5, "logprobs": 1}


def until_one_makes_way(engine):
    """What was answered up to the step in which it happened."""
    answers = {}
    for _ in range(500):
        take(engine.step(), answers)
        if engine.stats().preemptions:
            return answers
    raise AssertionError("nobody was preempted")


def all_answered(engine, wishes):
    ids = [engine.add(wish) for wish in wishes]
    answers = run(engine)
    assert [answers[identity] for identity in ids] == [answer_by_hand(wish) for wish in wishes]
    assert engine.num_free_blocks == engine.stats().num_blocks
    return engine.stats()


@pytest.mark.parametrize("caching", [True, False])
@pytest.mark.parametrize("batch", [4, 64])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        SAMPLING,
        SAMPLING | {"repetition_penalty": 1.4, "top_k": 5},
        {"mirostat": 2, "seed": 1},
        {"guidance_scale": 1.5, "negative_prompt": [3, 3]},
        {"prompt_logprobs": 1},
    ],
    ids=lambda settings: "-".join(settings) or "greedy",
)
def test_all_answers_are_whole(settings, batch, caching):
    engine = Engine(scripted(**SMALL), EngineSettings(batch, prefix_caching=caching))
    wishes = [request([place, 2, 3], max_new_tokens=14, **settings) for place in range(4)]
    assert all_answered(engine, wishes).preemptions > 0


@pytest.mark.parametrize("caching", [True, False])
@pytest.mark.parametrize("batch", [4, 64])
def test_samples_are_preempted_together_and_share_again(caching, batch):
    """Alone, the second request fits only if its samples share their prompt's blocks."""
    engine = Engine(scripted(**SMALL), EngineSettings(batch, prefix_caching=caching))
    first = request([9], max_new_tokens=30)
    samples = request([1] * 12, max_new_tokens=8, num_return_sequences=3, **SAMPLING)
    assert all_answered(engine, [first, samples]).preemptions > 0


def test_a_scored_prompt_that_makes_way_is_told_once():
    """It is preempted in the middle, and is computed again in smaller pieces."""
    num_preempted = 0
    for batch in range(5, 14):
        for block_size in (3, 4, 5):
            backend = scripted(num_blocks=10, block_size=block_size)
            engine = Engine(backend, EngineSettings(batch))
            first = request([1, 2, 3, 4, 5, 6], max_new_tokens=18)
            scored = request([7] * 20, max_new_tokens=2, prompt_logprobs=0)
            num_preempted += all_answered(engine, [first, scored]).preemptions
    assert num_preempted


def test_prompt_tokens_of_who_made_way_are_counted_once():
    engine = Engine(scripted(**SMALL), EngineSettings(prefix_caching=False))
    wishes = [request([place, 2, 3], max_new_tokens=14) for place in range(4)]
    stats = all_answered(engine, wishes)
    assert stats.preemptions > 0
    assert (stats.prompt_tokens, stats.cached_tokens) == (12, 0)
    assert stats.generated_tokens == 4 * 14


def test_the_first_never_makes_way_and_the_last_goes_first():
    engine = Engine(scripted(**SMALL))
    wishes = [request([place], max_new_tokens=19) for place in range(4)]
    ids = [engine.add(wish) for wish in wishes]
    written = dict.fromkeys(ids, 0)
    while engine.has_work:
        events = engine.step()
        for event in events:
            written[event.request_id] += 1
        counts = [written[identity] for identity in ids]
        assert counts == sorted(counts, reverse=True)
        if counts[0] < 19:
            assert ids[0] in [event.request_id for event in events]
    assert engine.stats().preemptions > 1
    assert set(written.values()) == {19}


def test_who_made_way_runs_before_those_that_came_later():
    engine = Engine(scripted(**SMALL))
    ids = [engine.add(request([place], max_new_tokens=19)) for place in range(3)]
    until_one_makes_way(engine)
    late = engine.add(request([8], max_new_tokens=1))
    order = []
    while engine.has_work:
        order += [event.request_id for event in engine.step()]
    assert order.index(ids[2]) < order.index(late)


def test_two_that_cannot_run_together_run_one_after_the_other():
    """Each takes the whole pool: there is no going back and forth."""
    backend = scripted(num_blocks=4, block_size=4)
    engine = Engine(backend)
    wishes = [request([place] * 3, max_new_tokens=13) for place in range(3)]
    stats = all_answered(engine, wishes)
    assert stats.preemptions <= 4
    assert len(backend.batches) < 3 * 20


def test_a_request_makes_way_in_the_middle_of_its_prompt():
    engine = Engine(scripted(num_blocks=16, block_size=4), EngineSettings(max_batch_tokens=5))
    sampling = {"temperature": 1.0, "seed": 1, "num_return_sequences": 3}
    wishes = [
        request([9] * 5, max_new_tokens=16, **sampling),
        request([1] * 26, max_new_tokens=4),
    ]
    ids = [engine.add(wish) for wish in wishes]
    answers = until_one_makes_way(engine)
    assert engine.stats().prompt_tokens < 5 + 26
    assert ids[1] not in answers
    assert engine.stats().waiting == 1
    assert run(engine)[ids[1]] == answer_by_hand(wishes[1])


def test_giving_up_who_has_made_way():
    engine = Engine(scripted(**SMALL))
    ids = [engine.add(request([place], max_new_tokens=19)) for place in range(4)]
    until_one_makes_way(engine)
    engine.abort(ids[3])
    assert ids[3] not in run(engine)
    assert engine.num_free_blocks == 10
