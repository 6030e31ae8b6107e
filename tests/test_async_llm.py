"""AsyncLLM: the same answers as LLM, whatever the tasks do, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import EOS, VOCAB_SIZE, toy_llm, toy_tokenizer

import foretell
from foretell import LLM, AsyncLLM, ConfigError, ModelNotFoundError, NumericalError, RequestError
from foretell.backends.base import Batch, Logits
from foretell.backends.scripted import Script, ScriptedBackend, improvise, recite
from foretell.engine.stats import EngineStats
from foretell.errors import ForetellError, QueueFullError, SettingWarning
from foretell.outputs import Chunk, GenerationOutput
from foretell.worker.backlog import CAPACITY

TESTS = Path(__file__).parent
SCRIPT = improvise(VOCAB_SIZE)


class GatedBackend(ScriptedBackend):
    """Runs a batch only when it is let: each `release()` lets one more, `open()` all."""

    def __init__(self, script: Script = SCRIPT, **sizes: int) -> None:
        super().__init__(script, vocab_size=VOCAB_SIZE, **sizes)
        self._permits = threading.Semaphore(0)
        self._is_open = False
        self.is_waiting = threading.Event()  # a batch has come

    def forward(self, batch: Batch) -> Logits:
        self.is_waiting.set()
        if not self._is_open:
            self._permits.acquire()
        return super().forward(batch)

    def release(self) -> None:
        self.is_waiting.clear()
        self._permits.release()

    def open(self) -> None:
        self._is_open = True
        self._permits.release()


def scripted(script: Script = SCRIPT, **sizes: int) -> ScriptedBackend:
    return ScriptedBackend(script, vocab_size=VOCAB_SIZE, **sizes)


def toy_async_llm(backend: ScriptedBackend | None = None, **options: Any) -> AsyncLLM:
    return AsyncLLM(backend or scripted(), tokenizer=toy_tokenizer(), **options)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test; a hang is an error, and so is all that asyncio complains of."""

    async def guarded() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        await asyncio.wait_for(main(), timeout=60)
        assert complaints == []

    asyncio.run(guarded())


async def noticed() -> None:
    """Let the loop notice which readers have gone; that takes it some turns."""
    for _ in range(5):
        await asyncio.sleep(0)


async def mailed(llm: AsyncLLM, number: int) -> None:
    """Wait until so many orders lie before the worker, which is held in a step."""
    while llm._worker._mail.qsize() < number:
        await asyncio.sleep(0.001)


async def settled(llm: AsyncLLM) -> EngineStats:
    """What is left once all tasks have gone: it must be nothing."""
    await noticed()
    stats = await llm.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert stats.free_blocks == stats.num_blocks
    return stats


def content(output: GenerationOutput) -> dict[str, Any]:
    """All of an output but how long it took."""
    told = output.to_dict()
    usage = told.pop("usage")
    return {**told, "tokens": (usage["prompt_tokens"], usage["completion_tokens"])}


WISHES = {"max_new_tokens": 6, "temperature": 1.5, "seed": 3, "logprobs": 2}


def test_it_answers_as_llm_does():
    llm = toy_llm()
    prompts = ["the cat", "a", "b" * 20]

    async def main() -> None:
        async with toy_async_llm() as other:
            one = await other.generate("the cat", **WISHES)
            assert content(one) == content(llm.generate("the cat", **WISHES))
            several = await other.generate(prompts, **WISHES)
            alone = llm.generate(prompts, **WISHES)
            assert [content(output) for output in several] == [content(output) for output in alone]
            samples = await other.generate("the", num_return_sequences=3, **WISHES)
            expected = llm.generate("the", num_return_sequences=3, **WISHES)
            assert [content(output) for output in samples] == [
                content(output) for output in expected
            ]
            assert await other.generate([]) == []
            ahead = {"temperature": 0.7, "top_k": 5}
            assert await other.next("the cat", 4, **ahead) == llm.next("the cat", 4, **ahead)
            assert await other.score("the cat sat", 2) == llm.score("the cat sat", 2)
            assert other.info == llm.info
            assert other.tokenizer.encode("a") == llm.tokenizer.encode("a")
            assert other.recommended == {}
            await settled(other)

    run(main)


def test_chunks_are_llms_and_tell_whose_they_are():
    llm = toy_llm()
    prompts = ["the cat", "a"]
    wishes = {**WISHES, "num_return_sequences": 2}
    expected = llm.generate(prompts, **wishes)

    async def main() -> None:
        async with toy_async_llm() as other:
            chunks = [chunk async for chunk in other.stream(prompts, **wishes)]
            for place, output in enumerate(expected):
                key = (place // 2, place % 2)
                own = [chunk for chunk in chunks if (chunk.prompt_index, chunk.index) == key]
                assert "".join(chunk.text for chunk in own) == output.text
                assert [token for chunk in own for token in chunk.token_ids] == output.token_ids
                assert content(own[-1].require_output()) == content(output)
            await settled(other)

    run(main)


def test_chat_uses_the_models_template():
    metadata_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}a:"
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = metadata_template
    messages = [{"role": "user", "content": "the cat"}]
    expected = LLM(scripted(), tokenizer=tokenizer).chat(messages, **WISHES)

    async def main() -> None:
        async with AsyncLLM(scripted(), tokenizer=tokenizer) as llm:
            assert content(await llm.chat(messages, **WISHES)) == content(expected)
            chunks = [chunk async for chunk in llm.stream_chat(messages, **WISHES)]
            assert content(chunks[-1].require_output()) == content(expected)
            with pytest.raises(RequestError, match="messages"):
                await llm.chat([], max_new_tokens=1)
            await settled(llm)

    run(main)


def test_requests_of_many_tasks_share_steps():
    backend = GatedBackend()
    wishes = {"max_new_tokens": 9, "ignore_eos": True}

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            first = asyncio.create_task(llm.generate("z", **wishes))
            await asyncio.to_thread(backend.is_waiting.wait)
            others: list[asyncio.Task[object]] = [
                asyncio.create_task(llm.generate("the cat", **wishes)) for _ in range(5)
            ]
            others.append(asyncio.create_task(llm.next("a")))
            await mailed(llm, 6)
            backend.open()
            await asyncio.gather(first, *others)
            sizes = [len(batch.starts) - 1 for batch in backend.batches]
            assert sizes[0] == 1
            assert sizes[1] >= 6  # nearly all that came while the first step was held
            assert len(sizes) < 2 * 9
            await settled(llm)

    run(main)


def test_lower_priorities_run_earlier():
    backend = GatedBackend()
    ended: list[int] = []

    async def ask(llm: AsyncLLM, priority: int) -> None:
        await llm.generate("the cat", max_new_tokens=2, priority=priority)
        ended.append(priority)

    async def main() -> None:
        async with toy_async_llm(backend, max_running=1) as llm:
            first = asyncio.create_task(llm.generate("z", max_new_tokens=2))
            await asyncio.to_thread(backend.is_waiting.wait)
            tasks = [asyncio.create_task(ask(llm, priority)) for priority in (2, 0, 1)]
            await mailed(llm, 3)
            backend.open()
            await asyncio.gather(first, *tasks)
            assert ended == [0, 1, 2]

    run(main)


def test_settings_are_refused_where_they_are_given():
    async def main() -> None:
        async with toy_async_llm() as llm:
            with pytest.raises(ConfigError, match="temperature"):
                llm.stream("a", temperature=-1)
            with pytest.raises(ConfigError, match="not_a_setting"):
                await llm.generate("a", not_a_setting=1)
            with pytest.raises(ConfigError, match="top=0"):
                await llm.next("a", 0)
            with pytest.raises(ConfigError, match="seed=1 has no effect"):
                await llm.next("a", seed=1)
            with pytest.raises(RequestError, match="no tokens"):
                await llm.generate("")
            with pytest.raises(RequestError, match=r"prompts\[1\]"):
                await llm.generate(["a", []], max_new_tokens=2)
            with pytest.raises(RequestError, match="prompt=None"):
                await llm.generate(None)
            assert (await settled(llm)).steps == 0

    run(main)


def test_a_warning_points_to_the_callers_line():
    async def main() -> None:
        async with toy_async_llm() as llm:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                llm.stream("a", max_new_tokens=1, temperature=5.0, seed=1)
                await llm.generate("a", max_new_tokens=1, temperature=5.0, seed=1)
                with pytest.raises(RequestError, match="no chat template"):
                    await llm.chat([{"role": "user", "content": "a"}], temperature=5.0)
            assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name] * 3
            assert {warning.category for warning in caught} == {SettingWarning}

    run(main)


def test_arguments_are_those_of_llm():
    with pytest.raises(TypeError, match="no_such"):
        AsyncLLM(no_such=1)

    async def main() -> None:
        with pytest.raises(ConfigError, match="max_running=0"):
            await toy_async_llm(max_running=0).__aenter__()
        with pytest.raises(ModelNotFoundError):
            async with AsyncLLM("no/such/model.gguf"):
                pass

    run(main)


def test_it_must_be_open():
    llm = toy_async_llm()
    for use in (lambda: llm.info, lambda: llm.tokenizer, lambda: llm.stream("a")):
        with pytest.raises(RequestError, match="not open"):
            use()

    async def main() -> None:
        with pytest.raises(RequestError, match="not open"):
            await llm.generate("a")
        await llm.close()
        async with llm:
            with pytest.raises(RequestError, match="opened already"):
                await llm.__aenter__()
        await llm.close()
        for use in (llm.generate("a", max_new_tokens=1), llm.stats(), llm.next("a")):
            with pytest.raises(RequestError, match="closed"):
                await use

    run(main)


async def leave_the_loop(chunks: AsyncGenerator[Chunk, None]) -> None:
    async for _ in chunks:
        break


async def close_it(chunks: AsyncGenerator[Chunk, None]) -> None:
    async with aclosing(chunks):
        await anext(chunks)


async def forget_it(chunks: AsyncGenerator[Chunk, None]) -> None:
    await anext(chunks)


@pytest.mark.parametrize("leave", [leave_the_loop, close_it, forget_it])
def test_a_stream_that_is_left_ends_its_request(
    leave: Callable[[AsyncGenerator[Chunk, None]], Awaitable[None]],
):
    backend = GatedBackend()

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            backend.release()
            await leave(llm.stream("the cat", max_new_tokens=100))
            gc.collect()
            await noticed()
            backend.open()
            assert (await settled(llm)).generated_tokens <= 2

    run(main)


def test_a_stream_that_is_never_read_does_not_begin():
    async def main() -> None:
        async with toy_async_llm() as llm:
            llm.stream("the cat")
            assert (await settled(llm)).steps == 0

    run(main)


def test_a_task_that_is_cancelled_ends_its_request():
    backend = GatedBackend()

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            tasks: list[asyncio.Task[object]] = [
                asyncio.create_task(llm.generate("z", max_new_tokens=100))
            ]
            await asyncio.to_thread(backend.is_waiting.wait)
            tasks += [
                asyncio.create_task(llm.generate(["a", "b"], max_new_tokens=100)),
                asyncio.create_task(llm.next("c")),
            ]
            await mailed(llm, 2)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.CancelledError] * 3
            backend.open()
            assert (await settled(llm)).steps == 1

    run(main)


def test_a_slow_reader_gets_longer_chunks_and_holds_nobody_up():
    expected = toy_llm().generate("the cat", max_new_tokens=80, logprobs=1)

    async def main() -> None:
        async with toy_async_llm() as llm:
            slow = llm.stream("the cat", max_new_tokens=80, logprobs=1)
            chunks = [await anext(slow)]
            for _ in range(3):
                await llm.generate("a", max_new_tokens=40)
            stats = await llm.stats()
            assert stats.running == 0  # the slow reader's request has run on to its end
            chunks += [chunk async for chunk in slow]
            assert len(chunks) <= CAPACITY + 3
            assert content(chunks[-1].require_output()) == content(expected)
            assert [token for chunk in chunks for token in chunk.token_ids] == expected.token_ids
            assert [entry for chunk in chunks for entry in chunk.logprobs] == expected.logprobs
            text = ""
            for chunk in chunks:
                assert chunk.start_byte == len(text.encode())
                text += chunk.text
            assert text == expected.text

    run(main)


def test_a_reader_that_keeps_up_gets_a_chunk_a_token():
    story = toy_tokenizer().encode("the cat sat")
    backend = GatedBackend(recite([*story, EOS], vocab_size=VOCAB_SIZE))

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            chunks = llm.stream("the")
            for token in story[1:]:
                backend.release()
                assert (await anext(chunks)).token_ids == [token]
            backend.release()
            assert (await anext(chunks)).finish_reason == "stop"
            with pytest.raises(StopAsyncIteration):
                await anext(chunks)

    run(main)


def test_so_many_may_wait_and_no_more():
    backend = GatedBackend()
    wishes = {"max_new_tokens": 40, "ignore_eos": True}

    async def main() -> None:
        async with toy_async_llm(backend, max_waiting=2, max_running=1) as llm:
            tasks = [asyncio.create_task(llm.generate("z", **wishes))]
            await asyncio.to_thread(backend.is_waiting.wait)
            for number in (1, 2, 3):
                tasks.append(asyncio.create_task(llm.generate("a", **wishes)))
                await mailed(llm, number)
            late = tasks.pop()
            while not late.done():
                backend.release()
                await asyncio.sleep(0.001)
            with pytest.raises(QueueFullError, match="max_waiting=2"):
                await late
            backend.open()
            outputs = await asyncio.gather(*tasks)
            assert [len(output.token_ids) for output in outputs] == [40] * 3
            assert len(await llm.generate(["a"] * 20, max_new_tokens=2)) == 20
            await settled(llm)

    run(main)


def test_closing_ends_what_is_under_way():
    backend = GatedBackend()

    async def main() -> None:
        llm = await toy_async_llm(backend).__aenter__()
        stream = llm.stream("the cat", max_new_tokens=50)
        backend.release()
        await anext(stream)
        asked = [
            llm.generate("a", max_new_tokens=50),
            llm.generate(["b"] * 40, max_new_tokens=50),
            llm.score("the cat"),
        ]
        tasks = [asyncio.create_task(one) for one in asked]
        await mailed(llm, 3)
        closing = asyncio.create_task(llm.close())
        await mailed(llm, 4)
        backend.open()
        await closing
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, RequestError)
            assert str(result) == "the AsyncLLM was closed before this ended"
        await anext(stream)  # what came before
        with pytest.raises(RequestError, match="closed before this ended"):
            await anext(stream)
        assert not any(thread.name == "foretell-worker" for thread in threading.enumerate())

    run(main)


def test_a_failing_step_ends_its_requests_and_no_later_ones():
    class Broken(ScriptedBackend):
        def forward(self, batch: Batch) -> Logits:
            if 7 in batch.tokens:
                raise OSError("the machine is on fire")
            return super().forward(batch)

    backend = Broken(SCRIPT, vocab_size=VOCAB_SIZE)

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            asked = [llm.generate([7], max_new_tokens=2), llm.generate([[7], [7]])]
            errors = await asyncio.gather(*asked, return_exceptions=True)
            for error in errors:
                assert isinstance(error, ForetellError)
                assert "the machine is on fire" in str(error)
            assert isinstance(errors[0].__cause__, OSError)
            assert len((await llm.generate([8], max_new_tokens=2)).token_ids) == 2
            await settled(llm)

    run(main)


def test_a_numerical_error_ends_one_request_only():
    def script(history: tuple[int, ...]) -> Any:
        row = SCRIPT(history)
        return np.full_like(row, np.nan) if history[0] == 7 and len(history) == 3 else row

    async def main() -> None:
        async with toy_async_llm(scripted(script)) as llm:
            asked = [
                llm.generate([7], max_new_tokens=9, num_return_sequences=2, top_k=3),
                llm.generate([8], max_new_tokens=9),
            ]
            bad, good = await asyncio.gather(*asked, return_exceptions=True)
            assert isinstance(bad, NumericalError)
            assert len(good.token_ids) == 9
            await settled(llm)

    run(main)


@pytest.mark.parametrize("error", [KeyError("the user's"), SystemExit("the user's")])
def test_what_a_users_function_raises_is_its_callers(error: BaseException):
    def leaves(text: str, token_ids: list[int]) -> bool:
        raise error

    async def main() -> None:
        async with toy_async_llm() as llm:
            other = asyncio.create_task(llm.generate("b", max_new_tokens=30, ignore_eos=True))
            with pytest.raises(type(error), match="the user's"):
                await llm.generate("a", max_new_tokens=9, stopping_criteria=leaves)
            assert len((await other).token_ids) == 30
            await settled(llm)

    run(main)


def test_a_reader_that_lags_over_a_long_list_gets_all_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("foretell.worker.channel.LAG", 4)
    prompts = [f"prompt {number}" for number in range(100)]
    expected = [output.text for output in toy_llm().generate(prompts, max_new_tokens=3)]

    async def main() -> None:
        async with toy_async_llm() as llm:
            texts = [""] * len(prompts)
            async for chunk in llm.stream(prompts, max_new_tokens=3):
                texts[chunk.prompt_index] += chunk.text
                if chunk.prompt_index % 10 == 0:
                    await llm.stats()
            assert texts == expected
            await settled(llm)

    run(main)


def test_several_event_loops_one_after_another_and_at_once():
    llm = toy_async_llm()
    expected = toy_llm().generate("the cat", **WISHES)

    async def ask() -> GenerationOutput:
        return await llm.generate("the cat", **WISHES)

    async def leave() -> None:
        await anext(llm.stream("the cat", max_new_tokens=200))

    asyncio.run(llm.__aenter__())
    assert content(asyncio.run(ask())) == content(expected)
    outputs: list[GenerationOutput] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(asyncio.run(ask()))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [content(output) for output in outputs] == [content(expected)] * 3
    asyncio.run(leave())
    asyncio.run(settled(llm))
    asyncio.run(llm.close())


def test_a_loop_that_was_closed_over_a_stream_ends_its_request():
    backend = GatedBackend()
    llm = toy_async_llm(backend)
    asyncio.run(llm.__aenter__())
    loop = asyncio.new_event_loop()
    chunks = llm.stream("the cat", max_new_tokens=250)
    backend.release()
    loop.run_until_complete(anext(chunks))
    loop.close()  # without closing its generators, as nobody should
    backend.open()
    stats = asyncio.run(llm.stats())
    while stats.running:
        stats = asyncio.run(llm.stats())
    assert stats.generated_tokens <= 2
    assert stats.free_blocks == stats.num_blocks
    with suppress(StopIteration):
        chunks.aclose().send(None)
    asyncio.run(llm.close())


def test_an_async_llm_that_nobody_holds_any_more_goes():
    async def main() -> None:
        llm = await toy_async_llm().__aenter__()
        worker = llm._worker
        await llm.generate("a", max_new_tokens=1)
        gone = weakref.ref(llm)
        del llm
        gc.collect()
        assert gone() is None
        await asyncio.to_thread(worker.join)

    run(main)


def test_opening_may_be_cancelled():
    may_load, kept = threading.Event(), []

    def load(*_: object, **__: object) -> LLM:
        may_load.wait()
        return toy_llm()

    async def main() -> None:
        llm = toy_async_llm()
        llm._load = load
        kept.append(llm)
        opening = asyncio.create_task(llm.__aenter__())
        await asyncio.sleep(0.01)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        may_load.set()
        await asyncio.to_thread(llm._worker.join)
        with pytest.raises(RequestError, match="not open"):
            llm.stream("a")

    run(main)


class Visitor:
    """A task that asks something at random, and may go before it is answered."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.prompts = [
            self.random.choice(["the cat", "a", "the the the", "z" * self.random.randint(1, 30)])
            for _ in range(self.random.choice([1, 1, 1, 3]))
        ]
        self.wishes: dict[str, Any] = {"max_new_tokens": self.random.randint(1, 25)}
        if self.random.random() < 0.6:
            self.wishes |= {"temperature": 1.3, "seed": number}
            self.wishes["num_return_sequences"] = self.random.choice([1, 1, 2, 3])
        if self.random.random() < 0.3:
            self.wishes["logprobs"] = 1
        if self.random.random() < 0.3:
            self.wishes["stop"] = [self.random.choice(["a", "e", "c"])]
        self.patience = self.random.choice([None, None, self.random.randint(0, 6)])

    async def visit(self, llm: AsyncLLM) -> list[dict[str, Any]] | None:
        """The answers; None if it went before."""
        for _ in range(self.random.randint(0, 5)):
            await asyncio.sleep(0)
        if self.patience is None:
            way = self.random.choice([self.generate, self.stream])
            return await way(llm)
        if self.random.random() < 0.5:
            return await self.leave(llm)
        task = asyncio.create_task(self.generate(llm))
        await asyncio.sleep(self.patience / 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None

    async def generate(self, llm: AsyncLLM) -> list[dict[str, Any]]:
        return [content(output) for output in await llm.generate(self.prompts, **self.wishes)]

    async def stream(self, llm: AsyncLLM) -> list[dict[str, Any]]:
        pieces: dict[tuple[int, int], list[Chunk]] = {}
        async for chunk in llm.stream(self.prompts, **self.wishes):
            pieces.setdefault((chunk.prompt_index, chunk.index), []).append(chunk)
            if self.random.random() < 0.2:
                await asyncio.sleep(0.001)
        outputs = []
        for key in sorted(pieces):
            output = pieces[key][-1].require_output()
            assert "".join(chunk.text for chunk in pieces[key]) == output.text
            outputs.append(content(output))
        return outputs

    async def leave(self, llm: AsyncLLM) -> None:
        count = 0
        async for _ in llm.stream(self.prompts, **self.wishes):
            count += 1
            if count > (self.patience or 0):
                break


@pytest.mark.parametrize("seed", range(3))
def test_whoever_comes_and_goes_the_answers_are_llms_and_nothing_is_left(seed: int):
    """The pool is so small that requests make way for others."""
    visitors = [Visitor(1000 * seed + number) for number in range(40)]
    random.Random(seed).shuffle(visitors)
    sizes = {"num_blocks": 60, "max_batch_tokens": 24, "context_length": 128}
    llm = LLM(scripted(**sizes), tokenizer=toy_tokenizer())
    kept: list[list[dict[str, Any]] | None] = []

    async def main() -> None:
        async with toy_async_llm(scripted(**sizes), max_running=12) as other:
            kept.extend(await asyncio.gather(*(visitor.visit(other) for visitor in visitors)))
            await asyncio.sleep(0.01)
            await settled(other)

    run(main)
    assert sum(answers is not None for answers in kept) >= 10
    for visitor, answers in zip(visitors, kept, strict=True):
        if answers is not None:
            expected = llm.generate(visitor.prompts, **visitor.wishes)
            assert answers == [content(output) for output in expected]


def test_the_default_model_answers_alike(default_model_path: Path):
    prompts = ["The cat sat on the", "Once upon a time", "def f(x):"]
    wishes = {"max_new_tokens": 8, "temperature": 0.8, "top_k": 40, "seed": 5, "logprobs": 0}
    messages = [{"role": "user", "content": "Say hello."}]
    with LLM(default_model_path) as llm:
        expected = [content(output) for output in llm.generate(prompts, **wishes)]
        answer = content(llm.chat(messages, **wishes))

    async def main() -> None:
        async with AsyncLLM(default_model_path) as other:
            asked = [other.generate(prompt, **wishes) for prompt in prompts]
            *outputs, chat = await asyncio.gather(*asked, other.chat(messages, **wishes))
            assert [content(output) for output in outputs] == expected
            assert content(chat) == answer
            await settled(other)

    run(main)


PROLOGUE = """
    import asyncio, gc, signal, sys, threading
    from foretell import AsyncLLM
    from toy import EOS, VOCAB_SIZE, toy_tokenizer
    from foretell.backends.scripted import ScriptedBackend, improvise

    def make():
        backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
        return AsyncLLM(backend, tokenizer=toy_tokenizer())
"""


def program(body: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, to its end; one that hangs is an error."""
    source = textwrap.dedent(PROLOGUE) + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        check=False,
    )


@pytest.mark.parametrize(
    "body",
    [
        """
        async def main():
            llm = await make().__aenter__()
            chunks = llm.stream("the cat", max_new_tokens=200)
            print((await anext(chunks)).index)

        asyncio.run(main())
        """,
        """
        loop = asyncio.new_event_loop()
        llm = loop.run_until_complete(make().__aenter__())
        tasks = [loop.create_task(llm.generate("a", max_new_tokens=200)) for _ in range(3)]
        loop.run_until_complete(asyncio.sleep(0.05))
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
        print(0)
        """,
        """
        import logging
        logging.disable()  # asyncio tells of tasks that were left pending

        async def main():
            llm = await AsyncLLM().__aenter__()  # in the middle of a native step
            for number in range(3):
                task = llm.generate(f"{number} " * 300, max_new_tokens=200, ignore_eos=True)
                tasks.append(asyncio.create_task(task))
            tasks.append(asyncio.create_task(llm.next("Once")))
            await asyncio.sleep(0.1)

        tasks, loop = [], asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        print(0)
        """,
    ],
    ids=["in-a-stream", "after-cancelled-tasks", "with-tasks-left"],
)
def test_a_program_may_end_without_closing(body: str, default_model_path: Path):
    result = program(body)
    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT to send")
def test_ctrl_c_leaves_cleanly():
    result = program("""
        async def main():
            async with make() as llm:
                async def read():
                    async for chunk in llm.stream("the cat", max_new_tokens=250):
                        await asyncio.sleep(0.001)
                asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGINT)
                while True:
                    await asyncio.gather(read(), llm.generate("a", max_new_tokens=250))

        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("left", any(t.name == "foretell-worker" for t in threading.enumerate()))
    """)
    assert (result.returncode, result.stdout, result.stderr) == (0, "left False\n", "")


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    example = (AsyncLLM.__doc__ or "").split("\n\n")[1]
    source = "async def main():\n" + textwrap.indent(textwrap.dedent(example), "    ")
    names: dict[str, Any] = {"AsyncLLM": toy_async_llm}
    exec(source, names)
    run(names["main"])
    assert capsys.readouterr().out


def test_it_is_public():
    assert foretell.AsyncLLM is AsyncLLM
    assert "AsyncLLM" in dir(foretell)
