"""The worker: the dispatcher, and the thread around it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections import deque

import pytest
from support.toy import VOCAB_SIZE, engine_of, toy_llm, toy_tokenizer

from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.config import GenerationConfig
from foretell.errors import ClosedError, ConfigError, QueueFullError, RequestError
from foretell.llm import LLM
from foretell.outputs import Chunk
from foretell.worker.channel import Channel
from foretell.worker.coalescing import CoalescingQueue
from foretell.worker.dispatcher import NUM_AHEAD, Dispatcher
from foretell.worker.submissions import Generation
from foretell.worker.thread import CLOSED, ENDED, Worker


class Reader:
    """Channels of a loop that never runs: what is put stays to be looked at."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def submission(self, llm: LLM, prompt: object, **settings: object) -> Generation:
        inputs = llm._require_open().inputs
        template = inputs.template(GenerationConfig(max_new_tokens=2).override(**settings))
        jobs = inputs.prepare(prompt, template, parse_special=False)
        channel: Channel[Chunk] = Channel(self.loop, deque())
        is_list = jobs.num_prompts != 1
        return Generation(channel, iter(jobs), llm.tokenizer, streams=False, is_list=is_list)

    def admitted(self, submission: Generation) -> None:
        """Raise what the submission was refused for; it must be one or the other."""
        admitted = submission.channel.admitted()
        self.loop.run_until_complete(asyncio.wait_for(admitted, timeout=30))

    def read(self, submission: Generation) -> list[str]:
        """All that was put, or the error."""

        async def drain() -> list[str]:
            chunks = []
            while (chunk := await submission.channel.get()) is not None:
                chunks.append(chunk)
            chunks.sort(key=lambda chunk: (chunk.prompt_index, chunk.index))
            return [chunk.require_output().text for chunk in chunks]

        return self.loop.run_until_complete(asyncio.wait_for(drain(), timeout=30))


@pytest.fixture
def reader():
    reader = Reader()
    yield reader
    reader.loop.close()


def bounded_llm(max_waiting: int, max_running: int, num_blocks: int = 128) -> LLM:
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE, num_blocks=num_blocks)
    tokenizer = toy_tokenizer()
    return LLM(backend, tokenizer=tokenizer, max_waiting=max_waiting, max_running=max_running)


def test_a_burst_that_the_engine_can_run_is_not_refused(reader):
    llm = bounded_llm(max_waiting=2, max_running=8)
    dispatcher = Dispatcher(engine_of(llm), max_waiting=2)
    submissions = [reader.submission(llm, f"prompt {number}") for number in range(8)]
    for submission in submissions:
        dispatcher.accept(submission)
    while dispatcher.is_busy:
        dispatcher.work()
    alone = [llm.generate(f"prompt {number}", max_new_tokens=2).text for number in range(8)]
    assert [reader.read(submission) for submission in submissions] == [[text] for text in alone]


def test_too_many_are_refused_and_the_others_go_on(reader):
    llm = bounded_llm(max_waiting=2, max_running=1)
    dispatcher = Dispatcher(engine_of(llm), max_waiting=2)
    submissions = [reader.submission(llm, "the cat") for _ in range(6)]
    for submission in submissions:
        dispatcher.accept(submission)
    while dispatcher.is_busy:
        dispatcher.work()
        assert llm.stats().waiting <= 2
    text = llm.generate("the cat", max_new_tokens=2).text
    done = [reader.read(submission) for submission in submissions[:3]]
    assert done == [[text]] * 3
    for submission in submissions[3:]:
        with pytest.raises(QueueFullError, match="max_waiting=2"):
            reader.read(submission)


def test_a_long_list_waits_outside_and_leaves_room(reader):
    llm = bounded_llm(max_waiting=6, max_running=2)
    dispatcher = Dispatcher(engine_of(llm), max_waiting=6)
    prompts = [f"prompt {number}" for number in range(40)]
    submission = reader.submission(llm, prompts)
    dispatcher.accept(submission)
    dispatcher.work()
    late = reader.submission(llm, "a")
    dispatcher.accept(late)
    while dispatcher.is_busy:
        dispatcher.work()
        assert llm.stats().waiting <= 3 + 1
    expected = [output.text for output in llm.generate(prompts, max_new_tokens=2)]
    assert reader.read(submission) == expected
    assert reader.read(late) == [llm.generate("a", max_new_tokens=2).text]


def test_lists_are_refused_where_as_many_wait_as_may(reader):
    llm = bounded_llm(max_waiting=2, max_running=1)
    dispatcher = Dispatcher(engine_of(llm), max_waiting=2)
    submissions = [reader.submission(llm, ["the cat"] * 5) for _ in range(6)]
    for submission in submissions:
        dispatcher.accept(submission)
    for submission in submissions[2:]:
        with pytest.raises(QueueFullError, match="max_waiting=2"):
            reader.admitted(submission)
    for submission in submissions[:2]:
        reader.admitted(submission)
    while dispatcher.is_busy:
        dispatcher.work()
    text = llm.generate("the cat", max_new_tokens=2).text
    assert [reader.read(submission) for submission in submissions[:2]] == [[text] * 5] * 2


def test_a_list_is_refused_where_the_queue_is_full(reader):
    llm = bounded_llm(max_waiting=2, max_running=1)
    dispatcher = Dispatcher(engine_of(llm), max_waiting=2)
    singles = [reader.submission(llm, "the cat") for _ in range(3)]
    for submission in singles:
        dispatcher.accept(submission)
    while llm.stats().waiting < 2:
        dispatcher.work()
    late = reader.submission(llm, ["a", "b"])
    dispatcher.accept(late)
    with pytest.raises(QueueFullError, match="max_waiting=2"):
        reader.read(late)
    while dispatcher.is_busy:
        dispatcher.work()


def test_a_list_is_prepared_as_it_is_admitted(reader):
    llm = toy_llm()
    submission = reader.submission(llm, ["the cat"] * (NUM_AHEAD + 10))
    left = list(submission.jobs)
    submission.jobs = iter(left)
    dispatcher = Dispatcher(engine_of(llm))
    dispatcher.accept(submission)
    dispatcher._admit_lists()
    assert len(list(submission.jobs)) == 10


def test_lists_with_a_lower_number_are_admitted_first(reader):
    llm = toy_llm()
    dispatcher = Dispatcher(engine_of(llm))
    low, high = (reader.submission(llm, ["a"] * NUM_AHEAD) for _ in range(2))
    low.priority, high.priority = 1, 0
    for submission in (low, high):
        dispatcher.accept(submission)
    dispatcher._admit_lists()
    assert (len(low.requests), len(high.requests)) == (0, NUM_AHEAD)


def test_a_list_pauses_while_its_reader_lags(reader, monkeypatch):
    monkeypatch.setattr("foretell.worker.channel.LAG", 5)
    llm = bounded_llm(max_waiting=100, max_running=4)
    prompts = [f"prompt {number}" for number in range(4 * NUM_AHEAD)]
    submission = reader.submission(llm, prompts)
    wakes: list[int] = []
    submission.channel = Channel(reader.loop, CoalescingQueue(), lambda: wakes.append(1))
    dispatcher = Dispatcher(engine_of(llm))
    dispatcher.accept(submission)
    texts: list[tuple[int, str]] = []
    while dispatcher.is_busy:
        dispatcher.work()
    assert len(submission.channel._store) < 2 * NUM_AHEAD

    async def drain() -> None:
        while (chunk := await submission.channel.get()) is not None:
            texts.append((chunk.prompt_index, chunk.require_output().text))
            if wakes:
                wakes.clear()
                while dispatcher.is_busy:
                    dispatcher.work()

    reader.loop.run_until_complete(asyncio.wait_for(drain(), timeout=30))
    expected = [output.text for output in llm.generate(prompts, max_new_tokens=2)]
    assert [text for _, text in sorted(texts)] == expected


def test_an_empty_list_ends_at_once(reader):
    llm = toy_llm()
    dispatcher = Dispatcher(engine_of(llm))
    submission = reader.submission(llm, [])
    dispatcher.accept(submission)
    dispatcher.work()
    assert reader.read(submission) == []
    assert not dispatcher.is_busy


def test_what_a_reader_left_is_freed_and_nothing_else(reader):
    llm = toy_llm()
    dispatcher = Dispatcher(engine_of(llm))
    left, kept = (
        reader.submission(llm, ["a", "b", "the cat"]),
        reader.submission(llm, "the", max_new_tokens=9),
    )
    for submission in (left, kept):
        dispatcher.accept(submission)
    dispatcher.work()
    dispatcher.close(left)
    dispatcher.close(left)
    while dispatcher.is_busy:
        dispatcher.work()
    assert reader.read(kept) == [llm.generate("the", max_new_tokens=9).text]
    assert llm.stats().free_blocks == llm.stats().num_blocks
    assert dispatcher._by_request == {}


def test_a_text_that_ends_early_ends_its_request(reader):
    llm = toy_llm()
    calls: list[int] = []

    def enough(text: str, token_ids: list[int]) -> bool:
        calls.append(len(token_ids))
        return len(token_ids) == 3

    dispatcher = Dispatcher(engine_of(llm))
    submission = reader.submission(llm, "a", max_new_tokens=50, stopping_criteria=enough)
    dispatcher.accept(submission)
    while dispatcher.is_busy:
        dispatcher.work()
    assert calls == [1, 2, 3]
    assert llm.stats().steps == 3
    assert len(reader.read(submission)) == 1


def test_a_failing_predicate_ends_its_own_submission_only(reader):
    llm = toy_llm()

    def broken(text: str, token_ids: list[int]) -> bool:
        raise ZeroDivisionError("the user's")

    dispatcher = Dispatcher(engine_of(llm))
    bad, good = reader.submission(llm, "a", stopping_criteria=broken), reader.submission(llm, "b")
    for submission in (bad, good):
        dispatcher.accept(submission)
    while dispatcher.is_busy:
        dispatcher.work()
    with pytest.raises(ZeroDivisionError, match="the user's"):
        reader.read(bad)
    assert len(reader.read(good)) == 1
    assert llm.stats().free_blocks == llm.stats().num_blocks


def loaded(worker: Worker) -> LLM:
    """The worker's LLM, to look at."""

    async def ask() -> LLM | None:
        channel: Channel[LLM] = Channel(asyncio.get_running_loop(), deque())
        worker.ask(lambda llm: llm, channel)
        return await channel.get()

    llm = asyncio.run(ask())
    assert llm is not None
    return llm


def test_a_worker_makes_its_llm_in_its_own_thread_and_closes_it():
    names: list[str] = []

    def load() -> LLM:
        names.append(threading.current_thread().name)
        return toy_llm()

    worker = Worker(load)
    llm = loaded(worker)
    worker.stop()
    worker.join()
    assert names == ["foretell-worker"]
    with pytest.raises(RequestError, match="closed"):
        engine_of(llm)
    with pytest.raises(ClosedError, match=CLOSED):
        loaded(worker)


def test_all_who_wait_hear_why_a_model_could_not_be_loaded():
    may_fail = threading.Event()

    def load() -> LLM:
        may_fail.wait()
        raise ConfigError("no such thing")

    async def main() -> list[object]:
        worker = Worker(load)
        channels = [Channel(asyncio.get_running_loop(), deque()) for _ in range(3)]
        for channel in channels:
            worker.ask(lambda llm: llm, channel)
        may_fail.set()
        answers = [channel.get() for channel in channels]
        errors = await asyncio.gather(*answers, return_exceptions=True)
        worker.join()
        return errors

    errors = asyncio.run(main())
    assert [type(error) for error in errors] == [ConfigError] * 3
    assert len({id(error) for error in errors}) == 3  # each has a traceback of its own


def test_what_a_stopped_worker_never_reads_is_answered():
    may_load = threading.Event()

    def load() -> LLM:
        may_load.wait()
        return toy_llm()

    async def main() -> None:
        worker = Worker(load)
        channel: Channel[LLM] = Channel(asyncio.get_running_loop(), deque())
        worker.ask(lambda llm: llm, channel)
        worker.stop()
        may_load.set()
        with pytest.raises(ClosedError, match=ENDED):
            await channel.get()
        worker.join()

    asyncio.run(main())


def test_a_question_that_fails_is_its_askers_trouble():
    worker = Worker(toy_llm)

    async def main() -> None:
        channel: Channel[int] = Channel(asyncio.get_running_loop(), deque())
        worker.ask(lambda llm: 1 // 0, channel)
        with pytest.raises(ZeroDivisionError):
            await channel.get()

    asyncio.run(main())
    assert loaded(worker).stats().running == 0
    worker.stop()
    worker.join()


def test_lists_of_one_priority_are_admitted_by_turns(reader):
    llm = toy_llm()
    dispatcher = Dispatcher(engine_of(llm))
    submissions = [reader.submission(llm, ["a"] * NUM_AHEAD) for _ in range(2)]
    for submission in submissions:
        dispatcher.accept(submission)
    dispatcher._admit_lists()
    assert [len(submission.requests) for submission in submissions] == [NUM_AHEAD // 2] * 2


def test_a_worker_that_has_left_is_forgotten():
    worker = Worker(toy_llm)
    worker.stop()
    worker.join()
    gone = weakref.ref(worker)
    del worker
    gc.collect()
    assert gone() is None
