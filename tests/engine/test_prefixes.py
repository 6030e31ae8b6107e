"""What was computed of a prompt's beginning is not computed again, and changes no answer."""

import pytest
from support.engine_oracle import answer_by_hand, run, scripted, tokens_of

from benchmarks.stress.answers import request
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings

PROMPT = [*range(1, 11)]


def lengths(backend, start=0):
    """Tokens of each batch from some batch on."""
    return [len(batch.tokens) for batch in backend.batches[start:]]


def answered(engine, wish):
    identity = engine.add(wish)
    return run(engine)[identity]


@pytest.mark.parametrize(
    ("length", "num_cached"), [(1, 0), (4, 0), (5, 4), (8, 4), (9, 8), (10, 8)]
)
def test_the_same_prompt_again_computes_its_rest_only(length, num_cached):
    """Of a prompt of whole blocks the last one is computed again: its last logits are needed."""
    backend = scripted(block_size=4)
    engine = Engine(backend)
    wish = request(PROMPT[:length], max_new_tokens=2, logprobs=1)
    first, steps = answered(engine, wish), len(backend.batches)
    assert answered(engine, wish) == first == answer_by_hand(wish)
    assert lengths(backend, steps) == [length - num_cached, 1]
    assert engine.stats().cached_tokens == num_cached
    assert engine.stats().hit_rate == num_cached / (2 * length)


def test_the_first_token_tells_what_was_found():
    engine = Engine(scripted(block_size=4))
    wish = request(PROMPT, max_new_tokens=3)
    cached = []
    for _ in range(2):
        engine.add(wish)
        while engine.has_work:
            cached += [event.cached_tokens for event in engine.step()]
    assert cached == [0, 0, 0, 8, 0, 0]


def test_a_prompt_that_differs_early_shares_nothing():
    """The third block is the same, but not what comes before it."""
    backend = scripted(block_size=4)
    engine = Engine(backend)
    answered(engine, request([*PROMPT, 1, 2, 3], max_new_tokens=1))
    other = request([19, *PROMPT[1:], 1, 2, 3], max_new_tokens=4)
    assert answered(engine, other) == answer_by_hand(other)
    assert engine.stats().cached_tokens == 0


@pytest.mark.parametrize("num_alike", [3, 4, 7, 8])
def test_only_whole_blocks_that_are_alike_are_shared(num_alike):
    engine = Engine(scripted(block_size=4))
    answered(engine, request(PROMPT, max_new_tokens=1))
    other = request([*PROMPT[:num_alike], 19, 18, 17], max_new_tokens=4)
    assert answered(engine, other) == answer_by_hand(other)
    assert engine.stats().cached_tokens == num_alike // 4 * 4


def test_a_chats_next_turn_finds_the_last_ones_answer_too():
    backend = scripted(block_size=4)
    engine = Engine(backend)
    first = request(PROMPT, max_new_tokens=9)
    written = answered(engine, first).samples[0].tokens
    steps = len(backend.batches)
    following = request([*PROMPT, *written, 5, 6, 7], max_new_tokens=3)
    assert answered(engine, following) == answer_by_hand(following)
    assert lengths(backend, steps)[0] == 22 - 16  # 18 of the 19 were computed, 4 whole blocks


def test_without_prefix_caching_nothing_is_kept():
    backend = scripted(block_size=4)
    engine = Engine(backend, EngineSettings(prefix_caching=False))
    wish = request(PROMPT, max_new_tokens=1)
    for _ in range(2):
        assert answered(engine, wish) == answer_by_hand(wish)
    engine.add(wish)
    engine.add(wish)
    run(engine)
    assert lengths(backend) == [10, 10, 20]
    assert engine.stats().cached_tokens == engine.stats().cached_blocks == 0


def test_a_prefix_of_requests_sent_at_once_is_computed_once():
    backend = scripted(block_size=4)
    engine = Engine(backend)
    wishes = [request([*PROMPT, place, 3], max_new_tokens=4) for place in range(5)]
    ids = [engine.add(wish) for wish in wishes]
    answers = run(engine)
    assert [answers[identity] for identity in ids] == [answer_by_hand(wish) for wish in wishes]
    computed = sum(len(batch.tokens) for batch in backend.batches)
    assert computed == 12 + 4 * (12 - 8) + 5 * 3
    assert engine.stats().cached_tokens == 4 * 8


def test_while_a_prefix_is_computed_what_has_none_of_it_does_not_wait():
    engine = Engine(scripted(block_size=4), EngineSettings(max_batch_tokens=8))
    first = engine.add(request([1] * 60, max_new_tokens=1))
    alike = engine.add(request([1] * 30, max_new_tokens=1))
    other = engine.add(request([2] * 2, max_new_tokens=1))
    ends = []
    while engine.has_work:
        ends += [event.request_id for event in engine.step()]
    assert ends == [other, alike, first]


def test_who_waits_for_a_prefix_computes_it_if_the_first_is_given_up():
    engine = Engine(scripted(block_size=4), EngineSettings(max_batch_tokens=8))
    first = engine.add(request([1] * 60, max_new_tokens=1))
    wish = request([1] * 50, max_new_tokens=4)
    second = engine.add(wish)
    for _ in range(3):
        engine.step()
    engine.abort(first)
    assert run(engine)[second] == answer_by_hand(wish)
    assert engine.num_free_blocks == 128


@pytest.mark.parametrize("caching", [True, False])
def test_prompt_logprobs_are_the_same_with_a_warm_cache(caching):
    engine = Engine(scripted(block_size=4), EngineSettings(prefix_caching=caching))
    answered(engine, request(PROMPT, max_new_tokens=6))
    wish = request(PROMPT, max_new_tokens=4, prompt_logprobs=2, logprobs=1)
    for _ in range(2):
        assert answered(engine, wish) == answer_by_hand(wish)
    assert engine.stats().cached_tokens == 0  # each row is asked for, so each is computed


def test_what_a_scored_prompt_computed_serves_others():
    engine = Engine(scripted(block_size=4))
    answered(engine, request(PROMPT, max_new_tokens=1, prompt_logprobs=0))
    wish = request(PROMPT, max_new_tokens=4)
    assert answered(engine, wish) == answer_by_hand(wish)
    assert engine.stats().cached_tokens == 8


def test_prompt_and_negative_prompt_share_their_beginning():
    backend = scripted(block_size=4)
    engine = Engine(backend)
    wish = request(PROMPT, negative_prompt=[*PROMPT[:8], 3], guidance_scale=2, max_new_tokens=3)
    assert answered(engine, wish) == answer_by_hand(wish)
    assert sum(lengths(backend)) == 10 + 1 + 2 * 2


@pytest.mark.parametrize("number", [3, 5])
def test_many_scored_prompts_share_a_steps_rows(number):
    """More rows are asked for than one step may give; each is reported once."""
    engine = Engine(scripted(max_batch_tokens=400, num_blocks=400))
    wishes = [
        request([4 + place] * 50, max_new_tokens=2, prompt_logprobs=0) for place in range(number)
    ]
    ids = [engine.add(wish) for wish in wishes]
    answers = run(engine)
    assert [answers[identity] for identity in ids] == [answer_by_hand(wish) for wish in wishes]


def whose_prefix_is_kept(engine, prompts):
    """How many tokens of each prompt are found, looked for one at a time, in this order."""
    found = []
    for prompt in prompts:
        identity = engine.add(request([*prompt, 19], max_new_tokens=1))
        found += [e.cached_tokens for e in engine.step() if e.request_id == identity]
    return found


def test_what_was_used_longest_ago_goes_first_and_of_it_the_end():
    """A pool of 6 blocks of 4: two prompts of 2 blocks are kept; a third needs 3."""
    first, second = [1] * 8, [2] * 8
    engine = Engine(scripted(block_size=4, num_blocks=6))
    for prompt in (first, second, first):  # so the second was used longest ago
        answered(engine, request([*prompt, 9], max_new_tokens=1))
    assert engine.stats().cached_blocks == 4
    answered(engine, request([3] * 9, max_new_tokens=1))  # 2 blocks are empty: one must go
    assert engine.stats().cached_blocks == 5
    assert whose_prefix_is_kept(engine, [first, second]) == [8, 4]


def test_held_blocks_never_go():
    engine = Engine(scripted(block_size=4, num_blocks=8))
    wish = request(PROMPT, max_new_tokens=10)
    running = engine.add(wish)
    engine.step()
    events = []
    for token in range(11, 19):
        engine.add(request([token] * 8, max_new_tokens=1))
        events += engine.step()
    while engine.has_work:
        events += engine.step()
    written = [event for event in events if event.request_id == running]
    assert tokens_of(written) == answer_by_hand(wish).samples[0].tokens[1:]


@pytest.mark.parametrize("step", [256, 65_536])
def test_keys_stand_for_whole_ids_not_for_their_last_bytes(step):
    vocab_size = 65_600
    backend = ScriptedBackend(improvise(vocab_size), vocab_size=vocab_size, block_size=1)
    engine = Engine(backend)
    answered(engine, request([5, 1], max_new_tokens=1))
    answered(engine, request([5 + step, 1], max_new_tokens=1))
    assert engine.stats().cached_tokens == 0


def test_what_was_found_of_a_negative_prompt_is_not_told():
    engine = Engine(scripted(block_size=4))
    negative = [19, *PROMPT]
    answered(engine, request(negative, max_new_tokens=1))
    wish = request(PROMPT, negative_prompt=negative, guidance_scale=1.5, max_new_tokens=2)
    engine.add(wish)
    cached = []
    while engine.has_work:
        cached += [event.cached_tokens for event in engine.step()]
    assert cached == [0, 0]
    assert engine.stats().cached_tokens == 8


def test_who_stopped_within_a_block_goes_on_right_when_others_have_computed_it():
    """A more important request with the same prompt overtakes it there."""
    engine = Engine(scripted(block_size=4), EngineSettings(max_batch_tokens=6))
    wishes = [request([1] * 30, max_new_tokens=3, priority=one) for one in (1, 0)]
    first = engine.add(wishes[0])
    engine.step()
    second = engine.add(wishes[1])
    answers = run(engine)
    assert answers[first] == answers[second] == answer_by_hand(wishes[0])
