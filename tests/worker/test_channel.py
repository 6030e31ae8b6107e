"""Queues that stay short, and channels from the worker to an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import RequestError
from foretell.outputs import Chunk, TokenLogprob
from foretell.worker.channel import Channel, wake
from foretell.worker.coalescing import CoalescingQueue

SAMPLES = [(0, 0), (0, 1), (3, 0)]


def stream_of(sample: tuple[int, int], texts: list[str]) -> list[Chunk]:
    """Chunks of one sample, as a streamer makes them; the last one says so."""
    chunks, start = [], 0
    for number, text in enumerate(texts):
        entry = TokenLogprob(number, text, text.encode(), logprob=-float(number))
        chunks.append(
            Chunk(
                text,
                [number],
                start,
                [entry],
                {"raw": [entry], "final": [replace(entry, stage="final")]},
                prompt_index=sample[0],
                index=sample[1],
            )
        )
        start += len(text.encode())
    return [*chunks[:-1], replace(chunks[-1], finish_reason="stop")] if chunks else []


def joined(chunks: list[Chunk], sample: tuple[int, int]) -> dict[str, object]:
    own = [chunk for chunk in chunks if (chunk.prompt_index, chunk.index) == sample]
    stages = {"raw", "final"}
    return {
        "text": "".join(chunk.text for chunk in own),
        "token_ids": [token for chunk in own for token in chunk.token_ids],
        "logprobs": [entry for chunk in own for entry in chunk.logprobs or ()],
        "by_stage": {
            stage: [entry for chunk in own for entry in (chunk.logprobs_by_stage or {})[stage]]
            for stage in stages
        },
        "ends": [chunk.finish_reason for chunk in own][-1:],
    }


@given(
    st.lists(st.lists(st.sampled_from(["a", "", "한", "🐈"]), max_size=12), min_size=3, max_size=3),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_a_queue_stays_short_and_loses_nothing(texts, capacity, random):
    streams = [stream_of(*pair) for pair in zip(SAMPLES, texts, strict=True)]
    given_chunks = [chunk for chunks in streams for chunk in chunks]
    waiting = [deque(chunks) for chunks in streams if chunks]
    queue, taken = CoalescingQueue(capacity), []
    while waiting or len(queue):
        if waiting and (not len(queue) or random.random() < 0.7):
            source = random.choice(waiting)
            queue.append(source.popleft())
            waiting = [chunks for chunks in waiting if chunks]
        else:
            taken.append(queue.popleft())
        assert len(queue) <= capacity + len(SAMPLES) - 1
    for sample in SAMPLES:
        assert joined(taken, sample) == joined(given_chunks, sample)
        own = [chunk for chunk in taken if (chunk.prompt_index, chunk.index) == sample]
        read = ""
        for chunk in own:
            assert chunk.start_byte == len(read.encode())
            read += chunk.text


def test_a_queue_that_is_kept_up_with_changes_no_chunk():
    queue = CoalescingQueue(capacity=2)
    chunks = stream_of((0, 0), ["a", "b", "c"])
    for chunk in chunks:
        queue.append(chunk)
        assert queue.popleft() is chunk
    with pytest.raises(IndexError):
        queue.popleft()


def test_chunks_without_logprobs_are_joined_to_one_without():
    queue = CoalescingQueue(capacity=1)
    for chunk in stream_of((0, 0), ["a", "b"]):
        queue.append(replace(chunk, logprobs=None, logprobs_by_stage=None))
    chunk = queue.popleft()
    assert (chunk.text, chunk.token_ids, chunk.finish_reason) == ("ab", [0, 1], "stop")
    assert chunk.logprobs is None
    assert chunk.logprobs_by_stage is None


def test_a_channel_gives_items_then_its_error_then_nothing():
    async def main() -> None:
        channel: Channel[int] = Channel(asyncio.get_running_loop(), deque())

        def work() -> None:
            for item in (1, 2):
                channel.put(item)
                wake([channel])
            channel.end(RequestError("over"))
            wake([channel, channel])

        thread = threading.Thread(target=work)
        thread.start()
        assert [await channel.get(), await channel.get()] == [1, 2]
        with pytest.raises(RequestError, match="over"):
            await channel.get()
        assert await channel.get() is None
        thread.join()

    asyncio.run(main())


def test_a_reader_that_was_cancelled_or_whose_loop_is_closed_is_passed_over():
    kept: list[Channel[int]] = []

    async def main() -> None:
        channel: Channel[int] = Channel(asyncio.get_running_loop(), deque())
        kept.append(channel)
        reader = asyncio.ensure_future(channel.get())
        await asyncio.sleep(0)
        reader.cancel()
        channel.put(1)
        wake([channel])
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await channel.get() == 1
        assert not channel.is_abandoned

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    (channel,) = kept
    reader = loop.create_task(channel.get())
    loop.run_until_complete(asyncio.sleep(0))  # it waits
    reader.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert channel.is_abandoned
    channel.put(2)
    wake([channel])
