"""Prompts that are alone and patient: they wait outside the engine, and each is answered once."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from support.toy import engine_of, toy_llm
from support.toy_async import WISHES, run, scripted, settled, toy_async_llm

from foretell import AsyncLLM, Chunk, GenerationConfig
from foretell.errors import RequestError
from foretell.streaming.run import MAX_UNSTARTED
from foretell.worker.channel import Channel
from foretell.worker.dispatcher import NUM_AHEAD, Dispatcher
from foretell.worker.submissions import Generation

COUNT = 3 * MAX_UNSTARTED


async def ask(llm: AsyncLLM, prompt: str) -> list[int]:
    async with llm.submit(prompt, streams=False, is_patient=True, **WISHES) as submitted:
        (chunk,) = [chunk async for chunk in submitted]
    return chunk.require_output().token_ids


def test_no_more_are_with_the_engine_than_have_room() -> None:
    llm = toy_llm(num_blocks=4 * COUNT, max_batch_tokens=8)
    inputs, loop = llm._require_open().inputs, asyncio.new_event_loop()
    template = inputs.template(GenerationConfig(max_new_tokens=2, ignore_eos=True))
    dispatcher, most = Dispatcher(engine_of(llm)), 0
    for number in range(COUNT):
        jobs = inputs.prepare("a" * 8 + str(number), template, parse_special=False)
        channel: Channel[Chunk] = Channel(loop, deque())
        dispatcher.accept(
            Generation(channel, iter(jobs), llm.tokenizer, streams=False, is_patient=True)
        )
    while dispatcher.is_busy:
        dispatcher.work()
        stats = llm.stats()
        most = max(most, stats.running + stats.waiting)
    loop.close()
    assert NUM_AHEAD <= most <= MAX_UNSTARTED + 2
    assert llm.stats().generated_tokens == 2 * COUNT


def test_they_are_given_what_they_would_be_alone() -> None:
    async def main() -> None:
        prompts = [f"the {number}" for number in range(COUNT)]
        async with toy_async_llm(scripted(num_blocks=12)) as llm:
            together = await asyncio.gather(*(ask(llm, prompt) for prompt in prompts))
            for number in (0, 70, COUNT - 1):
                assert together[number] == (await llm.generate(prompts[number], **WISHES)).token_ids
            await settled(llm)

    run(main)


def test_whoever_leaves_while_waiting_outside_makes_room() -> None:
    async def main() -> None:
        async with toy_async_llm(scripted(num_blocks=12)) as llm:
            tasks = [asyncio.create_task(ask(llm, f"the {n}")) for n in range(COUNT)]
            await asyncio.sleep(0.01)
            for task in tasks[::2]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, list) for one in found[1::2])
            with pytest.raises(RequestError):
                await ask(llm, "a" * 100_000)
            assert isinstance(await ask(llm, "the"), list)
            await settled(llm)

    run(main)
