"""Who runs when: priorities, then arrival; long prompts let others live."""

import numpy as np
import pytest
from support.engine_oracle import answer_by_hand, run, scripted

from benchmarks.stress.answers import request
from foretell.engine.engine import Engine
from foretell.engine.events import TokenEvent
from foretell.engine.scheduler import PROMPT_TOKENS_BESIDE_EACH
from foretell.engine.settings import EngineSettings


def ends(engine):
    """Request ids in the order in which they end."""
    found = []
    while engine.has_work:
        found += [event.request_id for event in engine.step() if event.stop_reason]
    return found


def test_the_lower_number_runs_first_and_equal_ones_in_order_of_arrival():
    engine = Engine(scripted(), EngineSettings(max_running=1))
    priorities = [1, 0, 2, 0, 1, -1]
    ids = [engine.add(request([1, 2], max_new_tokens=2, priority=one)) for one in priorities]
    assert ends(engine) == sorted(ids, key=lambda one: (priorities[one], one))


def test_a_more_important_request_displaces_a_running_one_which_goes_on_later():
    engine = Engine(scripted(), EngineSettings(max_running=2))
    wishes = [request([one], max_new_tokens=8, priority=one) for one in (1, 2)]
    first, second = (engine.add(wish) for wish in wishes)
    engine.step()
    urgent = engine.add(request([7], max_new_tokens=3, priority=0))
    assert {event.request_id for event in engine.step()} == {first, urgent}
    assert engine.stats().preemptions == 1
    answers = run(engine)
    assert answers[second].samples[0].tokens == answer_by_hand(wishes[1]).samples[0].tokens[1:]


def test_a_request_of_equal_priority_displaces_nobody():
    engine = Engine(scripted(), EngineSettings(max_running=1))
    first = engine.add(request([1], max_new_tokens=4))
    engine.step()
    second = engine.add(request([2], max_new_tokens=1))
    assert ends(engine) == [first, second]
    assert engine.stats().preemptions == 0


@pytest.mark.parametrize("priority", [0, 1])
def test_the_least_important_makes_way_where_blocks_run_out(priority):
    """The earlier of the two, if it is the less important one."""
    engine = Engine(scripted(num_blocks=6, block_size=4))
    early = engine.add(request([1], max_new_tokens=18, priority=priority))
    late = engine.add(request([2], max_new_tokens=18, priority=0))
    order = ends(engine)
    assert engine.stats().preemptions > 0
    assert order == ([late, early] if priority else [early, late])


def test_no_more_sequences_run_than_may():
    backend = scripted()
    engine = Engine(backend, EngineSettings(max_running=3))
    sampling = {"temperature": 1.0, "seed": 1}
    for one in range(6):
        samples = 1 + one % 2
        engine.add(request([one], max_new_tokens=3, num_return_sequences=samples, **sampling))
    assert sorted(ends(engine)) == [0, 1, 1, 2, 3, 3, 4, 5, 5]
    assert max(len(batch.starts) - 1 for batch in backend.batches) == 3


def test_a_long_prompt_comes_in_small_pieces_beside_running_streams():
    sizes = {"context_length": 400, "num_blocks": 200, "max_batch_tokens": 256}
    backend = scripted(**sizes, prompt_tokens_beside=11)
    engine = Engine(backend)
    streams = [engine.add(request([one], max_new_tokens=100)) for one in range(4)]
    engine.step()
    engine.add(request([1] * 300, max_new_tokens=1))
    most = 4 + 11 + 4 * PROMPT_TOKENS_BESIDE_EACH
    for _ in range(15):
        written = [event.request_id for event in engine.step()]
        assert written == streams  # each has its token in each step
        assert len(backend.batches[-1].tokens) == most


@pytest.mark.parametrize("attention_span", [20, 4])
def test_its_pieces_grow_smaller_the_more_positions_they_attend_to(attention_span):
    """With the shorter span the last tokens cost more than a step's allowance: one goes on."""
    sizes = {"context_length": 400, "num_blocks": 200, "max_batch_tokens": 256}
    backend = scripted(**sizes, attention_span=attention_span)
    engine = Engine(backend)
    engine.add(request([1], max_new_tokens=390))
    engine.step()
    engine.add(request([1] * 300, max_new_tokens=1))
    pieces = []
    while sum(pieces) < 300:
        engine.step()
        pieces.append(len(backend.batches[-1].tokens) - 1)
    assert pieces[0] == backend.info.prompt_tokens_beside + PROMPT_TOKENS_BESIDE_EACH
    assert sorted(pieces[:-1], reverse=True) == pieces[:-1]
    assert pieces[-2] == 1


def test_a_long_prompt_alone_takes_whole_batches():
    backend = scripted(context_length=400, num_blocks=200)
    engine = Engine(backend)
    engine.add(request([1] * 300, max_new_tokens=1))
    run(engine)
    assert [len(batch.tokens) for batch in backend.batches] == [64, 64, 64, 64, 44]


def test_a_short_prompt_behind_a_long_one_does_not_wait_for_all_of_it():
    backend = scripted(context_length=400, num_blocks=300)
    engine = Engine(backend)
    long_one = engine.add(request([1] * 300, max_new_tokens=1))
    short = engine.add(request([2] * 20, max_new_tokens=1))
    shorter = engine.add(request([3] * 5, max_new_tokens=1))
    assert ends(engine) == [shorter, short, long_one]
    assert [len(batch.tokens) for batch in backend.batches[:2]] == [64, 64]


def test_the_first_prompt_has_most_of_each_batch():
    """So that a stream of short ones cannot hold it up."""
    backend = scripted(context_length=400, num_blocks=300)
    engine = Engine(backend)
    first = engine.add(request([1] * 300, max_new_tokens=1))
    steps = 0
    while engine.has_work:
        engine.add(request([2 + steps % 9] * 30, max_new_tokens=1))
        steps += 1
        if any(event.request_id == first for event in engine.step()):
            break
    assert steps <= 300 // 48 + 1
    for batch in backend.batches[:5]:
        assert np.diff(batch.starts)[0] == 48


def test_a_batch_full_of_streams_still_has_room_for_a_prompt():
    """Fewer run than a batch has tokens, as one that is yet to begin needs one too."""
    engine = Engine(scripted(), EngineSettings(max_batch_tokens=4))
    for one in range(3):
        engine.add(request([one], max_new_tokens=30))
    engine.step()
    late = engine.add(request([5] * 8, max_new_tokens=1))
    found = []
    for _ in range(8):
        found += [event for event in engine.step() if event.request_id == late]
    assert [type(event) for event in found] == [TokenEvent]


def sampling(prompt, samples, **rest):
    settings = {"temperature": 1.0, "seed": 1, "max_new_tokens": 4} | rest
    return request(prompt, num_return_sequences=samples, **settings)


def test_nobody_is_displaced_for_a_request_that_would_still_lack_places():
    engine = Engine(scripted(), EngineSettings(max_running=3))
    first = engine.add(sampling([1], 2, priority=0))
    last = engine.add(request([2], max_new_tokens=4, priority=2))
    engine.step()
    between = engine.add(sampling([3], 2, priority=1))
    assert {event.request_id for event in engine.step()} == {first, last}
    assert engine.stats().preemptions == 0
    assert set(ends(engine)) == {first, last, between}


@pytest.mark.parametrize(("length", "displaces"), [(8, True), (15, False)])
def test_nobody_is_displaced_for_a_request_that_would_still_lack_blocks(length, displaces):
    """Of 8 blocks of 4 the first has 4, the last one's two samples share 2 and have one each."""
    engine = Engine(scripted(num_blocks=8, block_size=4))
    engine.add(request([1] * 14, max_new_tokens=3, priority=0))
    engine.add(sampling([2] * 9, 2, max_new_tokens=3, priority=2))
    engine.step()
    between = engine.add(request([3] * length + [4], max_new_tokens=2, priority=1))
    named = {event.request_id for event in engine.step()}
    assert (between in named) == displaces
    assert engine.stats().preemptions == displaces


def test_blocks_that_only_the_displaced_hold_make_no_room():
    """What the waiting request has in common with them must be taken for it all the same."""
    engine = Engine(scripted(num_blocks=6, block_size=4))
    first = engine.add(request([1] * 10, max_new_tokens=3, priority=0))
    last = engine.add(request([2] * 9, max_new_tokens=4, priority=2))
    engine.step()
    between = engine.add(request([2] * 12, max_new_tokens=1, priority=1))
    assert {event.request_id for event in engine.step()} == {first, last}
    assert engine.stats().preemptions == 0
    assert set(ends(engine)) == {first, last, between}


def test_blocks_that_others_hold_need_no_room():
    """A prompt that is computed already is let in where there is room for its rest alone."""
    engine = Engine(scripted(num_blocks=6, block_size=4))
    first = engine.add(request([1] * 14, max_new_tokens=3))
    engine.step()
    alike = engine.add(request([*[1] * 12, 2], max_new_tokens=2))
    assert {event.request_id for event in engine.step()} == {first, alike}


def test_samples_are_let_in_where_there_is_room_for_the_blocks_that_they_copy():
    engine = Engine(scripted(num_blocks=6, block_size=4))
    first = engine.add(request([1] * 9, max_new_tokens=4))
    engine.step()
    engine.add(sampling([2, 3], 4, max_new_tokens=2))
    while engine.has_work:
        engine.step()
        if first in engine._states:
            assert engine.stats().running == 1
    assert engine.stats().preemptions == 0


def test_blocks_that_the_displaced_share_make_no_room():
    engine = Engine(scripted(num_blocks=4, block_size=4))
    first = engine.add(request([1] * 10, max_new_tokens=3, priority=0))
    last = engine.add(request([*[1] * 8, 2], max_new_tokens=4, priority=2))
    engine.step()
    engine.step()
    between = engine.add(request([3] * 6, max_new_tokens=1, priority=1))
    assert {event.request_id for event in engine.step()} == {first, last}
    assert engine.stats().preemptions == 0
    assert set(ends(engine)) == {last, between}
