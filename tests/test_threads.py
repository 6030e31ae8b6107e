"""Several threads on one LLM, and functions of the user's that ask it in turn."""

import asyncio
import gc
import random
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.toy import engine_of, toy_llm
from support.toy_async import toy_async_llm

from foretell.errors import RequestError
from foretell.llm import LLM

PROMPTS = ["abab", "the cat", "b", "1 2 3 1 2 3", ["x", "y y"]]
KINDS = [
    {},
    {"temperature": 1.0},
    {"temperature": 0.8, "top_k": 20, "top_p": 0.9, "min_p": 0.02},
    {"temperature": 1.2, "repetition_penalty": 1.2, "frequency_penalty": 0.3},
    {"mirostat": 2},
    {"dry_multiplier": 0.8, "no_repeat_ngram_size": 3},
    {"num_beams": 3},
    {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 0.5},
    {"temperature": 1.0, "num_return_sequences": 3},
    {"guidance_scale": 2.0, "negative_prompt": "no"},
    {"stop": ["e", "a"], "ignore_eos": True},
    {"logprobs": 2, "prompt_logprobs": 1},
    {"temperature": 1.0, "trace": True},
    {"stopping_criteria": lambda text, ids: len(ids) > 4},
    {"logits_processor": lambda logits: logits.__imul__(0.5)},
]


def ask(llm, request, *, streams=False):
    prompt, settings = request
    if streams:
        outputs = [chunk.output for chunk in llm.stream(prompt, **settings) if chunk.output]
    else:
        answer = llm.generate(prompt, **settings)
        outputs = answer if isinstance(answer, list) else [answer]
    outputs.sort(key=lambda output: (output.prompt, output.index))
    return [(output.text, output.token_ids, output.logprobs, output.trace) for output in outputs]


def random_requests(count):
    rng = random.Random(7)
    return [
        (
            rng.choice(PROMPTS),
            rng.choice(KINDS) | {"max_new_tokens": rng.randrange(1, 9), "seed": n},
        )
        for n in range(count)
    ]


def test_threads_share_an_llm_and_each_gets_its_own_answers():
    llm, requests = toy_llm(), random_requests(60)
    expected = [ask(llm, request) for request in requests]

    def read(seed):
        rng = random.Random(seed)
        order = rng.sample(range(len(requests)), len(requests))
        return [n for n in order if ask(llm, requests[n], streams=n % 2 == 0) != expected[n]]

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(read, range(8))] == [[]] * 8
    assert engine_of(llm).num_free_blocks == llm.info.num_blocks


def test_requests_of_threads_run_in_the_same_steps():
    llm = toy_llm()
    together = threading.Barrier(4)

    def read(prompt):
        chunks = llm.stream(prompt, max_new_tokens=30, ignore_eos=True)
        next(chunks)
        together.wait()
        return len([*chunks])

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(read, "abcd")] == [29] * 4
    sizes = [len(batch.starts) - 1 for batch in llm.backend.batches]
    assert max(sizes) == 4
    assert len(sizes) < 4 * 30  # so many if each ran alone


def test_a_thread_that_steps_on_and_on_lets_others_in():
    """One whose prompt takes many steps has no event, and would never leave the engine."""
    llm = toy_llm(max_batch_tokens=8, context_length=4096, num_blocks=2048)
    batches = llm.backend.batches
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(llm.generate, [1] * 4000, max_new_tokens=1)
        while not batches:
            pass
        llm.generate("a", max_new_tokens=2)
        assert len(batches) < 400  # of the 500 that the long prompt takes at least
        llm.close()
        with pytest.raises(RequestError, match="this LLM is closed"):
            reading.result()


def test_a_thread_closes_the_llm_that_another_reads():
    llm, has_begun = toy_llm(), threading.Event()

    def read():
        for _ in llm.stream("a", max_new_tokens=200, ignore_eos=True):
            has_begun.set()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        has_begun.wait()
        llm.close()
        with pytest.raises(RequestError, match="this LLM is closed"):
            reading.result()


def test_streams_may_be_left_by_another_thread():
    llm = toy_llm()
    streams = [llm.stream(text, max_new_tokens=20, ignore_eos=True) for text in "abcd"]
    for stream in streams:
        next(stream)
    with ThreadPoolExecutor(4) as pool:
        [*pool.map(lambda stream: stream.close(), streams)]
    assert not engine_of(llm).has_work


ASKING = {
    "generate": lambda llm: llm.generate("b", max_new_tokens=2),
    "stream": lambda llm: [*llm.stream("b", max_new_tokens=2)],
    "next": lambda llm: llm.next("b"),
    "score": lambda llm: llm.score("bb"),
    "beams": lambda llm: llm.beams("b", max_new_tokens=2),
    "explain": lambda llm: llm.explain("b", max_new_tokens=2),
}


def calling(ask, llm):
    """Settings whose function asks the LLM, by the place where it is called."""

    def process(logits):
        ask(llm)

    def allow(ids):
        ask(llm)
        return [1, 2]

    return {
        "logits_processor": {"logits_processor": process},
        "prefix_allowed_tokens_fn": {"prefix_allowed_tokens_fn": allow},
        "beams": {"logits_processor": process, "num_beams": 2},
        "beams' end": {"stopping_criteria": lambda text, ids: bool(ask(llm)), "num_beams": 2},
    }


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("place", calling(None, None))
def test_a_function_that_a_step_calls_cannot_ask_the_llm(name, place):
    llm = toy_llm()
    wishes = {"max_new_tokens": 6, "ignore_eos": True}
    expected = llm.generate("a", **wishes).token_ids
    other = llm.stream("a", **wishes)
    tokens = [*next(other).token_ids]
    settings = calling(ASKING[name], llm)[place]
    with pytest.raises(RequestError, match="cannot ask this LLM"):
        llm.generate("abab", max_new_tokens=4, **settings)
    for chunk in other:
        tokens += chunk.token_ids
    assert tokens == expected
    assert not engine_of(llm).has_work


@pytest.mark.parametrize("name", ASKING)
def test_a_function_that_judges_a_text_may_ask_the_llm(name):
    llm = toy_llm()
    wishes = {"max_new_tokens": 6, "ignore_eos": True}
    expected = llm.generate("a", **wishes).token_ids

    def judge(text, ids):
        ASKING[name](llm)
        return False

    assert llm.generate("a", stopping_criteria=judge, **wishes).token_ids == expected
    assert not engine_of(llm).has_work


def test_a_function_that_closes_the_llm_ends_its_requests_after_the_step():
    llm = toy_llm()
    engine, other = engine_of(llm), llm.stream("a", max_new_tokens=9, ignore_eos=True)
    next(other)

    def process(logits):
        llm.close()

    for read in (lambda: llm.generate("b", logits_processor=process), lambda: next(other)):
        with pytest.raises(RequestError, match="this LLM is closed"):
            read()
    assert not engine.has_work
    assert engine.num_free_blocks == 128


def test_a_function_that_drops_a_stream_frees_it_after_the_step():
    """The garbage collector may do so at any moment."""
    llm = toy_llm()
    streams = [llm.stream("a", max_new_tokens=9, ignore_eos=True)]
    next(streams[0])
    gone = weakref.ref(streams[0])

    def process(logits):
        streams.clear()
        gc.collect()

    expected = llm.generate("b", max_new_tokens=4).token_ids
    assert llm.generate("b", max_new_tokens=4, logits_processor=process).token_ids == expected
    assert gone() is None
    assert not engine_of(llm).has_work


def test_a_function_of_the_users_cannot_ask_an_async_llm_in_its_thread():
    async def main():
        async with toy_async_llm() as llm:

            def process(logits):
                asyncio.run(llm.generate("b", max_new_tokens=2))

            with pytest.raises(RequestError, match="cannot ask this LLM"):
                await llm.generate("a", max_new_tokens=4, logits_processor=process)
            assert len((await llm.generate("a", max_new_tokens=3, ignore_eos=True)).token_ids) == 3

    asyncio.run(main())


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyError])
def test_what_a_function_raises_ends_its_own_request(kind):
    def raising(logits):
        raise kind("the user's")

    llm = toy_llm()
    wishes = {"max_new_tokens": 6, "ignore_eos": True}
    expected = llm.generate("a", **wishes).token_ids
    other = llm.stream("a", **wishes)
    tokens = [*next(other).token_ids]
    with pytest.raises(kind, match="the user's"):
        llm.generate("b", logits_processor=raising)
    for chunk in other:
        tokens += chunk.token_ids
    assert tokens == expected
    assert not engine_of(llm).has_work


def test_threads_share_the_default_model(default_model_path):
    requests = [
        ("The cat sat on the", {"max_new_tokens": 12}),
        ("Once upon a time", {"max_new_tokens": 12, "temperature": 0.9, "seed": 1}),
        ("def f(x):", {"max_new_tokens": 8, "num_beams": 3}),
        ("1, 2, 3,", {"max_new_tokens": 12, "top_p": 0.9, "seed": 4, "num_return_sequences": 2}),
    ]
    with LLM(default_model_path) as llm:
        expected = [ask(llm, request) for request in requests]
        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(lambda request: ask(llm, request), requests * 4)]
    assert found == expected * 4
