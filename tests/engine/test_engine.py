import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.backends.scripted import ScriptedBackend, improvise, recite
from foretell.config import GenerationConfig
from foretell.config.settings import SETTINGS
from foretell.decoding.fused.chain import FusedChain
from foretell.decoding.softmax import log_softmax
from foretell.decoding.strategies.base import (
    Choice,
    Choices,
    ChosenToken,
    Draw,
    SampleToken,
    Strategy,
)
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.engine import Engine
from foretell.engine.events import EndEvent, PromptEvent, TokenEvent
from foretell.engine.request import Request
from foretell.engine.scheduler import MAX_PROMPT_ROWS
from foretell.engine.settings import EngineSettings
from foretell.errors import ForetellError, NumericalError, RequestError
from foretell.outputs import StopReason

VOCAB = 20
EOS = 3


def scripted(**sizes):
    return ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB, **sizes)


def run(engine):
    """Step until nothing is left; events by request."""
    events = {}
    while engine.has_work:
        for event in engine.step():
            events.setdefault(event.request_id, []).append(event)
    return events


def tokens_of(events):
    return [event.token_id for event in events if isinstance(event, TokenEvent)]


def greedy_by_hand(prompt, count):
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(improvise(VOCAB)(tuple(tokens)).argmax()))
    return tokens[len(prompt) :]


def request(prompt, **config):
    return Request(prompt, GenerationConfig(**config))


@pytest.mark.parametrize("length", [1, 4, 9, 70])
def test_greedy_goes_on_with_the_likeliest_token(length):
    prompt = [token % VOCAB for token in range(length)]
    engine = Engine(scripted())
    identity = engine.add(request(prompt, max_new_tokens=8))
    events = run(engine)[identity]
    assert tokens_of(events) == greedy_by_hand(prompt, 8)
    assert [event.stop_reason for event in events] == [None] * 7 + [StopReason("max_new_tokens", 8)]


def test_a_recital_ends_at_end_of_sequence():
    backend = ScriptedBackend(recite([1, 2, 5, 6, EOS, 9], vocab_size=VOCAB), vocab_size=VOCAB)
    engine = Engine(backend)
    identity = engine.add(Request([1, 2], eos_token_ids=frozenset({EOS, 17})))
    events = run(engine)[identity]
    assert tokens_of(events) == [5, 6, EOS]
    assert events[-1].stop_reason == StopReason("eos", events[-1].token_id)


def test_ignore_eos_goes_on():
    backend = ScriptedBackend(recite([1, 2, EOS, 9], vocab_size=VOCAB), vocab_size=VOCAB)
    engine = Engine(backend)
    config = GenerationConfig(max_new_tokens=2, ignore_eos=True)
    identity = engine.add(Request([1, 2], config, eos_token_ids=frozenset({EOS})))
    events = run(engine)[identity]
    assert tokens_of(events) == [EOS, 9]
    assert events[-1].stop_reason.finish_reason == "length"


def test_without_a_length_the_context_ends_it():
    engine = Engine(scripted(context_length=16))
    identity = engine.add(request([1, 2, 3]))
    assert len(tokens_of(run(engine)[identity])) == 13


def test_without_a_length_a_small_pool_ends_it():
    engine = Engine(scripted(context_length=256, num_blocks=3, block_size=4))
    identity = engine.add(request([1, 2, 3]))
    assert len(tokens_of(run(engine)[identity])) == 9


def test_prompts_and_decoding_share_batches():
    backend = scripted(max_batch_tokens=8)
    engine = Engine(backend)
    first = engine.add(request([1, 2], max_new_tokens=6))
    second = engine.add(request(list(range(18)), max_new_tokens=2))
    events = run(engine)
    assert tokens_of(events[first]) == greedy_by_hand([1, 2], 6)
    assert tokens_of(events[second]) == greedy_by_hand(list(range(18)), 2)
    assert [np.diff(batch.starts).tolist() for batch in backend.batches[:4]] == [
        [2, 6],
        [1, 7],
        [1, 5],
        [1, 1],
    ]


@pytest.mark.parametrize("strategy", [{}, {"num_beams": 2}])
def test_max_time_is_looked_at_after_each_token_and_not_while_a_prompt_is_read(strategy):
    """As in transformers, where reading the prompt is part of the first token's step."""
    engine = Engine(scripted(max_batch_tokens=4))
    wish = engine.add(request([1] * 18, max_new_tokens=9, max_time=1e-9, **strategy))
    for _ in range(4):
        assert engine.step() == []
    (event,) = run(engine)[wish]
    assert event.stop_reason == StopReason("max_time", 1e-9)
    assert "looked at after each token, not while a prompt is read" in SETTINGS["max_time"].meaning


def test_first_come_first_served():
    engine = Engine(scripted(num_blocks=4, block_size=4))
    large = engine.add(request([1] * 8, max_new_tokens=4))
    larger = engine.add(request([1] * 12, max_new_tokens=4))
    small = engine.add(request([1], max_new_tokens=1))  # would fit at once, but waits its turn
    ends = []
    while engine.has_work:
        ends += [event.request_id for event in engine.step() if event.stop_reason]
    assert ends == [large, larger, small]


@pytest.mark.parametrize(
    ("prompt", "config", "message"),
    [
        ([], {}, "no tokens"),
        ([1, VOCAB], {}, f"token {VOCAB} at position 1 is out of range: must be 0 to {VOCAB - 1}"),
        ([1, 2, -1], {}, "token -1 at position 2 is out of range"),
        ([1] * 33, {}, "33 tokens and a token to generate: 34 positions, but the context has 32"),
        ([1] * 32, {}, "33 positions, but the context has 32"),
        ([1] * 30, {"max_new_tokens": 3}, "30 tokens and max_new_tokens=3: 33 positions"),
        ([1], {"max_new_tokens": 10**20}, r"max_new_tokens=2\*\*63 - 1 or more: over 2"),
        ([1], {"max_length": 10**20}, r"max_length=2\*\*63 - 1 or more: over 2"),
        ([1] * 20, {"max_new_tokens": 9}, "29 positions, but the KV pool has 28: num_blocks=7 "),
    ],
)
def test_what_can_never_run_is_refused_with_the_numbers(prompt, config, message):
    engine = Engine(scripted(context_length=32, num_blocks=7))
    with pytest.raises(RequestError, match=message):
        engine.add(request(prompt, **config))
    assert not engine.has_work


def test_the_context_can_be_filled_to_the_last_position():
    engine = Engine(scripted(context_length=32, num_blocks=8))
    first = engine.add(request([1] * 31, max_new_tokens=1))
    second = engine.add(Request([1] * 32, strategy=LogitsProbe()))
    events = run(engine)
    assert len(tokens_of(events[first])) == 1
    assert events[second] == [EndEvent(second, "stop")]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 150])
def test_prompt_logprobs_are_the_models(length):
    backend = scripted()
    engine = Engine(backend)
    prompt = [(7 * place) % VOCAB for place in range(length)]
    identity = engine.add(Request(prompt, strategy=LogitsProbe(), prompt_logprobs=2))
    events = run(engine)[identity]
    reports = [
        entry for event in events if isinstance(event, PromptEvent) for entry in event.reports
    ]
    assert len(reports) == length - 1
    for place, found in enumerate(reports, start=1):
        expected = log_softmax(improvise(VOCAB)(tuple(prompt[:place])))
        assert found.chosen.token_id == prompt[place]
        assert found.chosen.logprob == pytest.approx(expected[prompt[place]], abs=1e-12)
        assert [entry.token_id for entry in found.top] == np.argsort(-expected)[:2].tolist()
    assert max(len(batch.logits_indices) for batch in backend.batches) <= MAX_PROMPT_ROWS


def test_scoring_and_generating_together():
    backend = scripted(max_batch_tokens=200)
    engine = Engine(backend)
    scored = [
        engine.add(Request([4] * 50, strategy=LogitsProbe(), prompt_logprobs=0)) for _ in range(3)
    ]
    written = engine.add(Request([1, 2], GenerationConfig(max_new_tokens=5), prompt_logprobs=0))
    events = run(engine)
    for identity in scored:
        assert sum(len(event.reports) for event in events[identity][:-1]) == 49
    assert len(events[written][0].reports) == 1
    assert tokens_of(events[written]) == greedy_by_hand([1, 2], 5)
    assert max(len(batch.logits_indices) for batch in backend.batches) == MAX_PROMPT_ROWS


def test_a_probe_sees_the_row_after_the_prompt():
    probe = LogitsProbe()
    engine = Engine(scripted())
    engine.add(Request([1, 2, 3, 4, 5], strategy=probe))
    run(engine)
    np.testing.assert_array_equal(probe.row, improvise(VOCAB)((1, 2, 3, 4, 5)))


def test_logprobs_come_with_the_tokens():
    engine = Engine(scripted())
    identity = engine.add(request([1, 2], max_new_tokens=2, logprobs=1))
    for event in run(engine)[identity]:
        assert event.reports["raw"].chosen.token_id == event.token_id
        assert event.reports["raw"].chosen == event.reports["raw"].top[0]  # greedy


def test_abort_frees_waiting_and_running():
    engine = Engine(scripted(num_blocks=4))
    running = engine.add(request([1] * 10, max_new_tokens=6))
    waiting = engine.add(request([1] * 10, max_new_tokens=6))
    engine.step()
    assert engine.num_free_blocks == 1
    engine.abort(waiting)
    assert engine.num_free_blocks == 1
    engine.abort(running)
    engine.abort(running)
    assert engine.num_free_blocks == 4
    assert not engine.has_work


class Failing(ScriptedBackend):
    """Raises in the third step."""

    error = RuntimeError("out of luck")

    def forward(self, batch):
        logits = super().forward(batch)
        if len(self.batches) == 3:
            raise self.error
        return logits


@pytest.mark.parametrize("error", [RuntimeError("out of luck"), KeyboardInterrupt()])
def test_a_failed_step_ends_what_ran_and_frees_its_blocks(error):
    backend = Failing(improvise(VOCAB), vocab_size=VOCAB, num_blocks=5)
    backend.error = error
    engine = Engine(backend, EngineSettings(max_running=2))
    first = engine.add(request([1, 2], max_new_tokens=8))
    second = engine.add(request([1, 3], max_new_tokens=4))
    third = engine.add(request([1, 4], max_new_tokens=8))  # waits: two run
    engine.step()
    engine.step()
    with pytest.raises(type(error)):
        engine.step()
    assert engine.num_free_blocks == 5
    events = run(engine)
    for identity in (first, second):
        assert [event.finish_reason for event in events[identity]] == ["error"]
        assert isinstance(events[identity][0].error, ForetellError)
    assert tokens_of(events[third]) == greedy_by_hand([1, 4], 8)


def test_a_request_whose_logits_are_nan_ends_alone():
    def script(history):
        row = improvise(VOCAB)(history)
        if history[0] == 9 and len(history) == 4:
            row[5] = np.nan
        return row

    engine = Engine(ScriptedBackend(script, vocab_size=VOCAB))
    sound = engine.add(request([1, 2], max_new_tokens=5))
    broken = engine.add(request([9, 2], max_new_tokens=5))
    events = run(engine)
    assert tokens_of(events[sound]) == greedy_by_hand([1, 2], 5)
    assert len(tokens_of(events[broken])) == 2
    assert events[broken][-1].finish_reason == "error"
    assert isinstance(events[broken][-1].error, NumericalError)
    assert engine.num_free_blocks == 128


def test_what_a_strategy_raises_ends_its_request_only():
    error = LookupError("a user's own strategy")

    class Raising(LogitsProbe):
        def step(self, rows, histories):
            raise error

    engine = Engine(scripted())
    sound = engine.add(request([1, 2], max_new_tokens=5))
    broken = engine.add(Request([1, 2], strategy=Raising()))
    events = run(engine)
    assert tokens_of(events[sound]) == greedy_by_hand([1, 2], 5)
    assert events[broken] == [EndEvent(broken, "error", error)]
    assert engine.num_free_blocks == 128


def choosing(parent, *token_ids):
    return Choices([Choice(parent, tuple(ChosenToken(token_id) for token_id in token_ids))])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (choosing(1, 5), r"the parent 1: must be 0 to 0"),
        (choosing(-1, 5), r"the parent -1: must be 0 to 0"),
        (choosing(0.0, 5), r"the parent 0.0: must be 0 to 0"),
        (choosing(0), r"a choice that has no tokens: must have one"),
        (choosing(0, 5, VOCAB), r"token_id=20.*: must be a ChosenToken of 0 to 19"),
        (choosing(0, -1), r"token_id=-1.*: must be a ChosenToken of 0 to 19"),
        (Choices([Choice(0, (5,))]), r"5: must be a ChosenToken of 0 to 19"),
        (Choices([5]), r"must be Choices, or a list of a Draw for each row"),
        (Choices(None), r"must be Choices, or a list of a Draw for each row"),
        (None, r"None: must be Choices, or a list of a Draw for each row"),
        ([], r"0 draws: must have one for each of 1"),
        ([5], r"5 in a list: must be a Draw with its chain"),
        ([Draw(None, 0.5, None, 0)], r"in a list: must be a Draw with its chain"),
        ([Draw(FusedChain(vocab_size=9), 0.5, None, 0)], r"Draw for 9 tokens: must be for the voc"),
        ([Draw(FusedChain(vocab_size=VOCAB), 1.0, None, 0)], r"a Draw at 1.0: must be in \[0, 1\)"),
        (Choices([Choice(0, (ChosenToken(3),))] * 3), r"3 choices: must be 1 at most, its num_seq"),
        (Choices([], [5]), r"\[5\] emitted: must be SampleTokens"),
        (Choices([], [SampleToken(0, ChosenToken(VOCAB))]), r"must be a ChosenToken of 0 to 19"),
    ],
)
def test_a_wrong_answer_of_a_strategy_ends_its_request_only(answer, message):
    class Wrong(Strategy):
        def step(self, rows, histories):
            return answer

    engine = Engine(scripted())
    sound = engine.add(request([1, 2], max_new_tokens=5))
    broken = engine.add(Request([1, 2], strategy=Wrong()))
    events = run(engine)
    assert tokens_of(events[sound]) == greedy_by_hand([1, 2], 5)
    (end,) = events[broken]
    assert end.finish_reason == "error"
    with pytest.raises(ValueError, match=f"the strategy Wrong answered with .*{message}"):
        raise end.error
    assert engine.num_free_blocks == 128


def test_wrong_answers_beside_each_other_leave_the_healthy_request():
    class Wrong(Strategy):
        def __init__(self, answer):
            self.answer = answer

        def step(self, rows, histories):
            return self.answer

    engine = Engine(scripted())
    answers = (choosing(3, 5), None, [], choosing(0, VOCAB))
    broken = [engine.add(Request([1, 2], strategy=Wrong(answer))) for answer in answers]
    sound = engine.add(request([1, 2], max_new_tokens=5))
    events = run(engine)
    assert tokens_of(events[sound]) == greedy_by_hand([1, 2], 5)
    assert [events[identity][0].finish_reason for identity in broken] == ["error"] * 4
    assert engine.num_free_blocks == 128


WISH = st.fixed_dictionaries(
    {
        "prompt": st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=20),
        "max_new_tokens": st.integers(1, 10),
        "temperature": st.sampled_from([0, 0.7, 2.0]),
        "seed": st.integers(0, 5),
        "arrives": st.integers(0, 12),
        "leaves": st.one_of(st.none(), st.integers(1, 20)),
        "scores": st.booleans(),
    }
)


def request_of(wish):
    names = ("max_new_tokens", "temperature", "seed")
    config = GenerationConfig(**{name: wish[name] for name in names})
    return Request(
        wish["prompt"],
        config,
        eos_token_ids=frozenset({EOS}),
        prompt_logprobs=0 if wish["scores"] else None,
    )


def alone(wish):
    engine = Engine(scripted())
    engine.add(request_of(wish))
    return run(engine)[0]


def flat(events):
    """Events as plain data, however the prompt was cut into chunks."""
    reports = [e for event in events if isinstance(event, PromptEvent) for e in event.reports]
    return reports, [
        (event.token_id, event.stop_reason) for event in events if isinstance(event, TokenEvent)
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WISH, min_size=1, max_size=7),
    st.integers(8, 30),
    st.integers(1, 40),
    st.integers(2, 5),
)
def test_whatever_comes_and_goes_all_end_alike_and_no_block_leaks(wishes, blocks, batch, size):
    engine = Engine(
        scripted(num_blocks=max(blocks, -(-30 // size)), max_batch_tokens=batch, block_size=size)
    )
    ids, events, step = {}, {}, 0
    while step < 13 or engine.has_work:
        for place, wish in enumerate(wishes):
            if wish["arrives"] == step:
                ids[place] = engine.add(request_of(wish))
            if wish["leaves"] is not None and wish["arrives"] + wish["leaves"] == step:
                engine.abort(ids[place])
        for event in engine.step():
            events.setdefault(event.request_id, []).append(event)
        step += 1
        assert step < 1000
    assert engine.num_free_blocks == max(blocks, -(-30 // size))
    for place, wish in enumerate(wishes):
        found, expected = flat(events.get(ids[place], [])), flat(alone(wish))
        if wish["leaves"] is None:
            assert found == expected
        else:
            assert all(
                ours == theirs[: len(ours)] for ours, theirs in zip(found, expected, strict=True)
            )
