"""A toy AsyncLLM, and what its tests share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from foretell import AsyncLLM
from foretell.backends.base import Batch
from foretell.backends.scripted import Script, ScriptedBackend, improvise
from foretell.engine.stats import EngineStats
from foretell.outputs import GenerationOutput
from foretell.utils.arrays import Logits
from support.toy import VOCAB_SIZE, toy_tokenizer

SCRIPT = improvise(VOCAB_SIZE)


class GatedBackend(ScriptedBackend):
    """Runs a batch only when it is let: each `release()` lets one more, `open()` all."""

    def __init__(self, script: Script = SCRIPT, **sizes: int) -> None:
        super().__init__(script, vocab_size=VOCAB_SIZE, **sizes)
        self._permits = threading.Semaphore(0)
        self._is_open = False
        self.is_waiting = threading.Event()  # a batch waits to be let

    def forward(self, batch: Batch) -> Logits:
        if not self._is_open:
            self.is_waiting.set()
            assert self._permits.acquire(timeout=60), "nobody let this batch run"
            self.is_waiting.clear()
        return super().forward(batch)

    def release(self) -> None:
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


async def until_queued(llm: AsyncLLM, number: int) -> None:
    """Wait until this number of commands lie before the worker, which is held in a step."""
    async with asyncio.timeout(30):
        while llm._worker._inbox.qsize() < number:
            await asyncio.sleep(0.001)


async def until_running(llm: AsyncLLM) -> None:
    """Wait until something runs."""
    async with asyncio.timeout(30):
        while (await llm.stats()).running == 0:
            await asyncio.sleep(0)


async def settled(llm: AsyncLLM) -> EngineStats:
    """What is left once all tasks have gone: it must be nothing."""
    await noticed()
    stats = await llm.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert stats.free_blocks == stats.num_blocks
    return stats


def content(output: GenerationOutput) -> dict[str, Any]:
    """All of an output but how long it took."""
    found = output.to_dict()
    usage = found.pop("usage")
    return {**found, "tokens": (usage["prompt_tokens"], usage["completion_tokens"])}


WISHES = {"max_new_tokens": 6, "temperature": 1.5, "seed": 3, "logprobs": 2}
