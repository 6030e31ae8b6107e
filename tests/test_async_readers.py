"""Who reads of an AsyncLLM, late, never or no more: nobody waits for them, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from support.toy import EOS, VOCAB_SIZE, toy_llm, toy_tokenizer
from support.toy_async import (
    WISHES,
    GatedBackend,
    content,
    noticed,
    run,
    scripted,
    settled,
    toy_async_llm,
    until_queued,
)

from foretell import LLM, AsyncLLM, RequestError
from foretell.backends.scripted import recite
from foretell.outputs import Chunk, GenerationOutput
from foretell.worker.coalescing import CAPACITY


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
            await until_queued(llm, 2)
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


def test_closing_ends_what_is_under_way():
    backend = GatedBackend()
    others = set(threading.enumerate())

    async def main() -> None:
        llm = await toy_async_llm(backend).__aenter__()
        stream = llm.stream("the cat", max_new_tokens=50)
        backend.release()
        await anext(stream)
        await asyncio.to_thread(backend.is_waiting.wait)
        asked = [
            llm.generate("a", max_new_tokens=50),
            llm.generate(["b"] * 40, max_new_tokens=50),
            llm.score("the cat"),
        ]
        tasks = [asyncio.create_task(one) for one in asked]
        await until_queued(llm, 3)
        closing = asyncio.create_task(llm.close())
        await until_queued(llm, 4)
        backend.open()
        await closing
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, RequestError)
            assert str(result) == "the AsyncLLM was closed before this ended"
        await anext(stream)  # what came before
        with pytest.raises(RequestError, match="closed before this ended"):
            await anext(stream)
        own = set(threading.enumerate()) - others
        assert not any(thread.name == "foretell-worker" for thread in own)

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
