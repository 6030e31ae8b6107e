"""Samples of one prompt: each is what it would be alone, and they share what they can."""

from itertools import pairwise

import numpy as np
import pytest
from support.engine_oracle import SCRIPT, VOCAB, answer_by_hand, run, sample_by_hand, scripted
from support.strategies import answer_of

from benchmarks.stress.answers import request, take
from foretell.backends.scripted import ScriptedBackend
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    Strategy,
    StrategyContext,
)
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.engine.engine import Engine
from foretell.engine.events import EndEvent
from foretell.engine.settings import EngineSettings
from foretell.errors import NumericalError, RequestError

SAMPLING = {"max_new_tokens": 7, "temperature": 1.3, "seed": 11, "logprobs": 2}
PROMPT = [1, 2, 3, 4, 5, 6]


def only_answer(engine):
    (answer,) = run(engine).values()
    return answer


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"top_k": 5, "top_p": 0.9, "repetition_penalty": 1.3},
        {"logprobs_stage": ("raw", "processed", "final")},
        {"xtc_probability": 0.5, "xtc_threshold": 0.05},
        {"mirostat": 1},
        {"mirostat": 2, "mirostat_tau": 2.0, "mirostat_eta": 0.5},
        {"adaptive_target": 0.3},
        {"presence_penalty": 0.5, "min_new_tokens": 3},
        {"guidance_scale": 1.7, "negative_prompt": [9, 8, 7]},
        {"guidance_scale": 0.4, "negative_prompt": [1, 2, 3, 4, 9], "mirostat": 2},
    ],
    ids=lambda settings: "-".join(settings) or "plain",
)
@pytest.mark.parametrize("prefix_caching", [True, False])
def test_each_sample_is_what_it_would_be_alone(settings, prefix_caching):
    settings = {**settings}
    negative = settings.get("negative_prompt")
    wish = request(
        PROMPT,
        num_return_sequences=4,
        eos_token_ids=frozenset({3}),
        **SAMPLING | settings | ({"temperature": None} if "mirostat" in settings else {}),
    )
    if negative is not None:
        assert wish.negative_prompt == negative
    engine = Engine(scripted(), EngineSettings(prefix_caching=prefix_caching))
    engine.add(wish)
    answer = only_answer(engine)
    assert answer == answer_by_hand(wish)
    assert len({tuple(sample.tokens) for sample in answer.samples.values()}) > 1
    assert engine.num_free_blocks == 128


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_sample_is_the_same_however_many_there_are(number):
    engine = Engine(scripted())
    engine.add(request(PROMPT, num_return_sequences=number, **SAMPLING))
    samples = only_answer(engine).samples
    assert [*sorted(samples)] == [*range(number)]
    for index, sample in samples.items():
        assert sample == sample_by_hand(request(PROMPT, **SAMPLING), index=index)


def test_the_prompt_is_computed_once_and_its_full_blocks_are_shared():
    backend = scripted(block_size=4, num_blocks=128)
    engine = Engine(backend)
    engine.add(request(PROMPT, num_return_sequences=5, **SAMPLING))
    engine.step()
    engine.step()
    assert [len(batch.tokens) for batch in backend.batches] == [6, 5]
    tables = backend.batches[1].block_tables
    assert len({*tables[:, 0].tolist()}) == 1
    assert len({*tables[:, 1].tolist()}) == 5  # the one left over from the prompt was copied
    assert engine.num_free_blocks == 128 - 6


class CountsCopies:
    """A backend whose copies are remembered, and with which batch they came."""

    def __init__(self, backend):
        self._backend = backend
        self.copies = []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def copy_blocks(self, pairs):
        self.copies.append((len(self._backend.batches), list(pairs)))
        self._backend.copy_blocks(pairs)


@pytest.mark.parametrize(("length", "num_copies"), [(6, 2), (8, 0), (1, 2)])
def test_only_a_block_that_is_written_on_is_copied_once_for_each_but_one(length, num_copies):
    backend = CountsCopies(scripted(block_size=4))
    engine = Engine(backend)
    engine.add(request([7] * length, num_return_sequences=3, **SAMPLING))
    run(engine)
    pairs = [pair for _, pairs in backend.copies for pair in pairs]
    assert len(pairs) == num_copies
    assert len({destination for _, destination in pairs}) == num_copies
    assert all(number == 1 for number, _ in backend.copies)  # before the batch that writes there


@pytest.mark.parametrize("length", [4, 5, 7, 8])
def test_samples_go_on_right_from_any_place_in_a_block(length):
    wish = request([5] * length, num_return_sequences=3, **SAMPLING)
    engine = Engine(scripted(block_size=4))
    engine.add(wish)
    assert only_answer(engine) == answer_by_hand(wish)


@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("num_steps", [0, 1, 2, 4])
@pytest.mark.parametrize("negative", [None, [9, 9]])
def test_a_sample_is_given_up_and_the_others_go_on(gone, num_steps, negative):
    guidance = {} if negative is None else {"guidance_scale": 1.5}
    wish = request(PROMPT, num_return_sequences=3, negative_prompt=negative, **SAMPLING, **guidance)
    engine = Engine(scripted())
    identity = engine.add(wish)
    answers = {}
    for _ in range(num_steps):
        take(engine.step(), answers)
    engine.abort(identity, gone)
    engine.abort(identity, gone)
    answers_later = run(engine)
    expected = answer_by_hand(wish).samples
    for index in {0, 1, 2} - {gone}:
        early = answers[identity].samples[index].tokens if num_steps else []
        late = answers_later[identity].samples[index]
        assert early + late.tokens == expected[index].tokens
        assert late.end == expected[index].end
    assert gone not in answers_later[identity].samples
    assert engine.num_free_blocks == 128


@pytest.mark.parametrize("num_steps", [0, 1, 3])
def test_giving_up_all_samples_gives_up_the_request(num_steps):
    engine = Engine(scripted())
    identity = engine.add(request(PROMPT, num_return_sequences=3, **SAMPLING))
    for _ in range(num_steps):
        engine.step()
    for index in (1, 0, 2):
        assert engine.has_work
        engine.abort(identity, index)
    assert not engine.has_work
    assert engine.num_free_blocks == 128


@pytest.mark.parametrize("gone", [0, 1])
def test_a_sample_given_up_while_its_sibling_waits_for_it(gone):
    """After a request was preempted, its samples are computed again, one behind the other."""
    wish = request(PROMPT, num_return_sequences=2, **SAMPLING | {"max_new_tokens": 12})
    expected = answer_by_hand(wish).samples[1 - gone]
    num_waiting = 0
    for steps_after in range(30):
        engine = Engine(scripted(num_blocks=9, block_size=4), EngineSettings(max_batch_tokens=4))
        engine.add(request([9], max_new_tokens=17))
        identity = engine.add(wish)
        answers = {}
        while engine.stats().preemptions == 0:
            take(engine.step(), answers)
        for _ in range(steps_after):
            take(engine.step(), answers)
        num_waiting += bool(engine._states[identity]._rows)
        engine.abort(identity, gone)
        early = answers[identity].samples[1 - gone].tokens
        late = run(engine)[identity].samples[1 - gone]
        assert early + late.tokens == expected.tokens
        assert late.end == expected.end
        assert engine.num_free_blocks == 9
        if len(answers[identity].samples[0].tokens) > 8:
            break
    assert num_waiting


def test_a_broken_row_ends_what_is_left_of_its_request_with_an_error_for_each_sample():
    wish = request(PROMPT, num_return_sequences=3, **SAMPLING)
    second = sample_by_hand(wish, index=1).tokens

    def script(history):
        row = SCRIPT(history)
        if history == (*PROMPT, *second[:3]):
            row[4] = np.nan
        return row

    sound = request([4, 4], max_new_tokens=9)
    engine = Engine(scripted(script))
    broken, other = engine.add(wish), engine.add(sound)
    answers = run(engine)
    assert answers[other] == answer_by_hand(sound)
    for index, sample in answers[broken].samples.items():
        assert sample.end == "error"
        assert sample.tokens[:3] == sample_by_hand(wish, index=index).tokens[:3]
    assert sorted(answers[broken].samples) == [0, 1, 2]
    assert engine.num_free_blocks == 128


def test_samples_end_apart():
    wish = request(PROMPT, num_return_sequences=6, eos_token_ids=frozenset({3, 4, 5}), **SAMPLING)
    engine = Engine(scripted())
    engine.add(wish)
    answer = only_answer(engine)
    assert answer == answer_by_hand(wish)
    assert len({len(sample.tokens) for sample in answer.samples.values()}) > 2


def test_more_samples_than_may_run_are_refused():
    engine = Engine(scripted(), EngineSettings(max_running=3))
    with pytest.raises(RequestError, match="num_return_sequences=4 takes 4 sequences"):
        engine.add(request(PROMPT, num_return_sequences=4, **SAMPLING))
    with pytest.raises(RequestError, match="num_return_sequences=2 takes 4 sequences"):
        engine.add(
            request(
                PROMPT, num_return_sequences=2, negative_prompt=[1], guidance_scale=2, **SAMPLING
            )
        )


def test_samples_that_the_pool_could_not_hold_are_refused_and_those_it_can_run():
    """6 blocks of 4: one full of the prompt, then as many of each sample's own as remain."""
    engine = Engine(scripted(num_blocks=6, block_size=4))
    fits = request(PROMPT, num_return_sequences=2, **SAMPLING | {"max_new_tokens": 6})
    engine.add(fits)
    message = (
        "a prompt of 6 tokens and max_new_tokens=7: 13 positions for each of 2 sequences, but the "
        "KV pool has 12 for each: num_blocks=6 must be at least 7, or kv_share larger"
    )
    with pytest.raises(RequestError, match=f"^{message}$"):
        engine.add(request(PROMPT, num_return_sequences=2, **SAMPLING))
    assert only_answer(engine) == answer_by_hand(fits)


@pytest.mark.parametrize("prompt", [1, 4, 6, 9])
@pytest.mark.parametrize(
    "settings", [{}, {"negative_prompt": [9] * 3}, {"negative_prompt": [9] * 8}]
)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_pool_of_the_size_that_is_named_is_the_smallest_that_will_do(prompt, settings, samples):
    guidance = {**settings, "guidance_scale": 2.0} if settings else {}
    wish = request([1] * prompt, num_return_sequences=samples, **SAMPLING | guidance)
    with pytest.raises(RequestError, match="must be at least") as refused:
        Engine(scripted(num_blocks=1, block_size=4)).check(wish)
    needed = int(str(refused.value).split("at least ")[1].split(",")[0])
    Engine(scripted(num_blocks=needed, block_size=4)).check(wish)
    with pytest.raises(RequestError, match=f"must be at least {needed},"):
        Engine(scripted(num_blocks=needed - 1, block_size=4)).check(wish)


def test_a_pool_without_a_block_for_each_sequence_says_what_it_takes():
    message = (
        "25 positions for each of 20 sequences, but the KV pool has 0 for each: "
        "num_blocks=4 must be at least 140, or kv_share larger"
    )
    engine = Engine(scripted(context_length=32, num_blocks=4, block_size=4))
    with pytest.raises(RequestError, match=message):
        engine.check(request([1] * 2, num_beams=20, max_new_tokens=23))


class Shrinking(Strategy):
    """Lets a sample go without a last token once it has 9."""

    def __init__(self, config, context):
        self._inner = SamplingStrategy(config, context)

    def step(self, rows, histories):
        answer = answer_of(self._inner, rows, histories)
        return Choices(
            [
                choice
                for choice in answer.choices
                if choice.parent == 0 or len(histories[choice.parent].tokens) < 9
            ]
        )


def test_a_sample_that_a_strategy_leaves_without_a_sequence_ends_with_its_request():
    wish = request(PROMPT, num_return_sequences=3, **SAMPLING)
    strategy = Shrinking(wish.config, StrategyContext(wish.context(VOCAB)))
    engine = Engine(scripted())
    engine.add(request(PROMPT, num_return_sequences=3, strategy=strategy, **SAMPLING))
    samples = only_answer(engine).samples
    assert samples[0] == sample_by_hand(wish, index=0)
    assert [samples[index].end for index in (1, 2)] == ["stop", "stop"]
    assert samples[1].tokens == sample_by_hand(wish, index=1).tokens[:3]
    assert engine.num_free_blocks == 128


class Branching(SamplingStrategy):
    """Two children of the first sequence in each step, and one of each other."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.indices = []

    def step(self, rows, histories):
        self.indices.append([history.index for history in histories])
        parents = [0, *range(len(rows))]
        return Choices(
            [Choice(parent, (ChosenToken(number),)) for number, parent in enumerate(parents)]
        )


def test_forks_of_any_sequence_get_numbers_that_nobody_has():
    wish = request(PROMPT, num_return_sequences=4, **SAMPLING)
    strategy = Branching(wish.config, StrategyContext(wish.context(VOCAB)))
    engine = Engine(scripted())
    engine.add(request(PROMPT, num_return_sequences=4, strategy=strategy, **SAMPLING))
    engine.step()
    engine.step()
    engine.step()
    assert [sorted(indices) for indices in strategy.indices] == [[0], [0, 1], [0, 1, 2]]
    assert run(engine)
    assert all(len(set(indices)) == len(indices) for indices in strategy.indices)
    assert engine.num_free_blocks == 128


def test_what_a_users_processor_raises_ends_its_request_only():
    calls = []

    def processor(row):
        calls.append(row)
        if len(calls) == 5:
            raise LookupError("out of words")

    sound = request([8], max_new_tokens=6)
    engine = Engine(scripted())
    other = engine.add(sound)
    broken = engine.add(
        request(PROMPT, num_return_sequences=3, logits_processor=[processor], **SAMPLING)
    )
    events = []
    while engine.has_work:
        events += engine.step()
    ends = [event for event in events if isinstance(event, EndEvent)]
    assert [(event.request_id, event.sample) for event in ends] == [
        (broken, index) for index in range(3)
    ]
    assert all(isinstance(event.error, LookupError) for event in ends)
    tokens = [event.token_id for event in events if event.request_id == other]
    assert tokens == sample_by_hand(sound).tokens
    assert engine.num_free_blocks == 128


def test_a_broken_row_of_a_scored_prompt_ends_its_request_only():
    def script(history):
        row = SCRIPT(history)
        if history == (9, 2):
            row[5] = np.nan
        return row

    sound = request([1, 2, 3], max_new_tokens=4, prompt_logprobs=1)
    engine = Engine(scripted(script))
    before = engine.add(sound)
    broken = engine.add(
        request(
            [9, 2, 3],
            prompt_logprobs=0,
            negative_prompt=[1] * 9,
            guidance_scale=2,
            max_new_tokens=4,
        )
    )
    after = engine.add(sound)
    events = []
    while engine.has_work:
        events += engine.step()
    (end,) = [event for event in events if event.request_id == broken]
    assert isinstance(end.error, NumericalError)
    for identity in (before, after):
        found = [event for event in events if event.request_id == identity]
        assert [event.token_id for event in found[1:]] == sample_by_hand(sound).tokens
    assert engine.num_free_blocks == 128


def test_the_order_of_events_is_that_of_steps():
    engine = Engine(scripted())
    engine.add(request(PROMPT, num_return_sequences=3, **SAMPLING))
    steps = []
    while engine.has_work:
        steps.append([event.sample for event in engine.step()])
    assert steps[0] == [0, 1, 2]
    for one, next_one in pairwise(steps):
        assert set(next_one) <= set(one)


class ReusingBackend(ScriptedBackend):
    """Gives logits that the next call overwrites, as a backend may."""

    def forward(self, batch):
        if len(self.batches):
            self.given[:] = np.nan
        self.given = super().forward(batch)
        return self.given


def test_a_row_that_waits_for_another_outlives_its_step():
    backend = ReusingBackend(SCRIPT, vocab_size=VOCAB, max_batch_tokens=8)
    wish = request([1, 2], negative_prompt=[3] * 20, guidance_scale=1.5, max_new_tokens=3)
    engine = Engine(backend)
    identity = engine.add(wish)
    assert run(engine)[identity] == answer_by_hand(wish)


def test_a_longer_negative_prompt_ends_a_text_where_the_context_ends_for_it():
    engine = Engine(scripted(context_length=32))
    identity = engine.add(request([1, 2], negative_prompt=[3] * 20, guidance_scale=1.5))
    sample = run(engine)[identity].samples[0]
    assert len(sample.tokens) == 32 - 20
    assert sample.end.finish_reason == "length"
