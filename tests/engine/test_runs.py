"""Choices of several tokens: texts, reports and stops are those of one token a step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_oracle import SCRIPT, VOCAB, answer_by_hand, run, scripted
from support.runs import Foreseeing
from support.toy import EOS, VOCAB_SIZE, reciting_llm, toy_llm

from benchmarks.stress.answers import request, take
from foretell.backends.scripted import improvise
from foretell.config import GenerationConfig
from foretell.decoding.strategies.base import Choice, Choices, StrategyContext
from foretell.engine.engine import Engine
from foretell.engine.request import Request
from foretell.engine.settings import EngineSettings
from foretell.outputs import StopReason
from foretell.streaming.job import Job
from foretell.streaming.run import stream_jobs

PROMPT = [1, 2, 3, 4, 5, 6]
SAMPLING = {"max_new_tokens": 11, "temperature": 1.3, "seed": 11, "logprobs": 2}


def foreseeing(wish, sizes=(3, 2, 1)):
    """The same request, several tokens a step."""
    context = StrategyContext(wish.context(VOCAB, wish.min_length))
    return replace(wish, strategy=Foreseeing(wish.config, context, SCRIPT, sizes))


def only_answer(engine, wish):
    engine.add(wish)
    (answer,) = run(engine).values()
    return answer


@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (3, 1, 2), (12,)])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("prefix_caching", [True, False])
def test_runs_make_the_text_of_single_tokens(sizes, samples, prefix_caching):
    wish = request(PROMPT, num_return_sequences=samples, **SAMPLING)
    engine = Engine(scripted(), EngineSettings(prefix_caching=prefix_caching))
    assert only_answer(engine, foreseeing(wish, sizes)) == answer_by_hand(wish)
    assert engine.num_free_blocks == 128


@pytest.mark.parametrize("settings", [{"mirostat": 2, "temperature": None}, {"top_k": 3}])
def test_a_chain_that_learns_sees_each_token_of_a_run(settings):
    wish = request(PROMPT, num_return_sequences=2, **SAMPLING | settings)
    assert only_answer(Engine(scripted()), foreseeing(wish)) == answer_by_hand(wish)


def stops_of(tokens):
    """Stop rules that fire at each place of a text of at least 11 tokens."""
    for place in range(10):
        if tokens[place] not in tokens[:place]:
            yield {"eos_token_ids": frozenset({tokens[place]})}, "eos", place
            yield {"stop_token_ids": [tokens[place]]}, "token", place
        yield {"max_new_tokens": place + 1}, "max_new_tokens", place
        yield {"max_length": len(PROMPT) + place + 1, "max_new_tokens": None}, "max_length", place


@pytest.mark.parametrize("size", [2, 3])
def test_a_stop_within_a_run_ends_the_text_there(size):
    plain = {"max_new_tokens": 11, "logprobs": 1}
    tokens = answer_by_hand(request(PROMPT, **plain)).samples[0].tokens
    for stop, kind, place in stops_of(tokens):
        wish = request(PROMPT, **plain | stop)
        engine = Engine(scripted())
        answer = only_answer(engine, foreseeing(wish, (size,)))
        assert answer == answer_by_hand(wish)
        assert answer.samples[0].tokens == tokens[: place + 1]
        assert answer.samples[0].end.kind == kind
        assert engine.num_free_blocks == 128
        assert not engine.has_work


def test_the_context_ends_a_text_within_a_run():
    wish = request([1, 2, 3])
    strategy = Foreseeing(wish.config, StrategyContext(wish.context(VOCAB)), SCRIPT, (5,))
    engine = Engine(scripted(context_length=16))
    sample = only_answer(engine, replace(wish, strategy=strategy)).samples[0]
    assert len(sample.tokens) == 13
    assert sample.end == StopReason("context", 16)


def test_a_run_is_computed_in_the_next_step():
    backend = scripted()
    engine = Engine(backend)
    only_answer(engine, foreseeing(request(PROMPT, max_new_tokens=7), (3, 2)))
    assert [batch.positions.tolist() for batch in backend.batches] == [
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8],
        [9, 10],
    ]
    assert [len(batch.logits_indices) for batch in backend.batches] == [1, 1, 1]


def test_each_token_of_a_run_has_an_event_of_its_own():
    engine = Engine(scripted())
    engine.add(foreseeing(request(PROMPT, **SAMPLING), (3,)))
    events = engine.step()
    assert [event.reports["raw"].chosen.token_id for event in events] == [
        event.token_id for event in events
    ]
    assert len(events) == 3


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_sample_given_up_between_runs_leaves_the_others(gone):
    wish = request(PROMPT, num_return_sequences=3, **SAMPLING)
    expected = answer_by_hand(wish).samples
    engine = Engine(scripted())
    identity = engine.add(foreseeing(wish))
    answers = {}
    take(engine.step(), answers)
    engine.abort(identity, gone)
    while engine.has_work:
        take(engine.step(), answers)
    found = answers[identity].samples
    for index in {0, 1, 2} - {gone}:
        assert found[index] == expected[index]
    assert found[gone].tokens == expected[gone].tokens[:3]
    assert engine.num_free_blocks == 128


WISH = st.fixed_dictionaries(
    {
        "prompt": st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=9),
        "max_new_tokens": st.integers(1, 9),
        "num_return_sequences": st.integers(1, 2),
        "seed": st.integers(0, 3),
        "sizes": st.lists(st.integers(1, 4), min_size=1, max_size=3),
        "priority": st.integers(0, 1),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(WISH, min_size=1, max_size=5), st.integers(2, 30), st.integers(2, 5))
def test_runs_beside_each_other_in_a_small_pool(wishes, batch, size):
    num_blocks = 2 * -(-20 // size)
    backend = scripted(num_blocks=num_blocks, max_batch_tokens=batch, block_size=size)
    engine = Engine(backend)
    expected = {}
    for wish in wishes:
        own = {name: value for name, value in wish.items() if name not in ("sizes", "prompt")}
        plain = request(wish["prompt"], temperature=1.2, eos_token_ids=frozenset({3}), **own)
        expected[engine.add(foreseeing(plain, wish["sizes"]))] = answer_by_hand(plain)
    assert run(engine) == expected
    assert engine.num_free_blocks == num_blocks


def test_a_choice_without_tokens_ends_its_request_only():
    class Silent(Foreseeing):
        def step(self, rows, histories):
            return Choices([Choice(0, ())])

    sound, engine = request([4, 4], max_new_tokens=9), Engine(scripted())
    wish = request(PROMPT, max_new_tokens=5)
    silent = Silent(wish.config, StrategyContext(wish.context(VOCAB)), SCRIPT)
    other, broken = engine.add(sound), engine.add(replace(wish, strategy=silent))
    answers = run(engine)
    assert answers[other] == answer_by_hand(sound)
    assert answers[broken].samples[0].end == "error"
    assert engine.num_free_blocks == 128


def text_job(llm, script, **settings):
    """A job that foresees 3 tokens a step."""
    config = GenerationConfig(**settings)
    ids = llm.tokenizer.encode("the cat")
    wish = Request(ids, config, eos_token_ids=frozenset({EOS}))
    strategy = Foreseeing(config, StrategyContext(wish.context(VOCAB_SIZE)), script, (3,))
    return Job("the cat", replace(wish, strategy=strategy), config)


@pytest.mark.parametrize("logprobs", [None, 1])
@pytest.mark.parametrize("stop", [[], ["b"], ["cd"], ["def"], ["gh"], ["zz"]])
def test_streamed_runs_are_the_text_of_single_tokens(stop, logprobs):
    text = "the cat abcdefghij"
    settings = {"stop": stop, "logprobs": logprobs, "max_new_tokens": 20}
    llm = reciting_llm(text)
    script = llm.backend._script

    def padded(history):
        """The script, which knows nothing behind its end."""
        try:
            return script(history)
        except ValueError:
            return np.zeros(VOCAB_SIZE, np.float32)

    expected = llm.generate("the cat", **settings)
    chunks = [
        *stream_jobs(llm._require_open().client, [text_job(llm, padded, **settings)], llm.tokenizer)
    ]
    output = chunks[-1].output
    assert "".join(chunk.text for chunk in chunks) == output.text == expected.text
    assert output.token_ids == expected.token_ids
    assert output.logprobs == expected.logprobs
    assert output.stop_reason == expected.stop_reason
    assert output.usage.completion_tokens == expected.usage.completion_tokens
    assert len(chunks) == len([*llm.stream("the cat", **settings)])
    assert llm.stats().running == 0


def test_samples_that_stop_in_the_text_end_apart_within_runs():
    script = improvise(VOCAB_SIZE, spread=1.0)
    settings = {
        "stop": [chr(letter) for letter in range(97, 123)],
        "num_return_sequences": 4,
        "temperature": 1.5,
        "seed": 3,
        "max_new_tokens": 20,
    }
    llm = toy_llm(script)
    expected = llm.generate("the cat", **settings)
    chunks = [
        *stream_jobs(llm._require_open().client, [text_job(llm, script, **settings)], llm.tokenizer)
    ]
    outputs = {chunk.index: chunk.output for chunk in chunks if chunk.output is not None}
    for output in expected:
        assert outputs[output.index].text == output.text
        assert outputs[output.index].token_ids == output.token_ids
        assert outputs[output.index].stop_reason == output.stop_reason
    assert len({len(output.token_ids) for output in expected}) > 1
