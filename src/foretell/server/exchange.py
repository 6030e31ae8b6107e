"""One request's way: to the engine, and back to a client that may leave at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from time import perf_counter
from typing import Any, Protocol, Self, TypeVar

from foretell.outputs import Chunk, GenerationOutput
from foretell.server.asgi import RECORD, Receive, Scope, Send, cancel
from foretell.server.asking import Asked, notices
from foretell.server.body import ClientGoneError
from foretell.server.errors import ApiError, api_error
from foretell.server.frames import DONE, PING, STREAM_HEADERS, dumps, dumps_long, frame
from foretell.server.heads import JSON, as_headers, send_whole
from foretell.server.log import log_failure
from foretell.server.pace import Pace
from foretell.server.record import RequestRecord
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.streaming.run import ordered_outputs
from foretell.utils.warn import hearing
from foretell.worker.submitted import Submitted
from foretell.worker.tally import Tally

T = TypeVar("T")


class AnswerWriter(Protocol):
    """Writes a request's answer down, whole or as the events of a stream."""

    def whole(self, outputs: list[GenerationOutput]) -> dict[str, Any]:
        """The answer as one object."""
        ...

    def start(self, prompts: Sequence[Sequence[int]]) -> bytes:
        """The events that a stream begins with; the prompts are token ids."""
        ...

    def chunk(self, chunk: Chunk) -> bytes:
        """The events that a chunk makes."""
        ...

    def end(self) -> bytes:
        """The events that a stream ends with."""
        ...

    def failure(self, error: ApiError) -> bytes:
        """The events that tell of an error in the middle of a stream."""
        ...


class Exchange:
    """A request and its answer.

    Args:
        scope, receive, send: of ASGI; the body has been read.
        state: the server's.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, state: ServerState) -> None:
        self._receive = receive
        self._send = send
        self._state = state
        self._record: RequestRecord = scope.get(RECORD) or RequestRecord("")

    async def answer(self, asked: Asked, writer: AnswerWriter) -> None:
        """Run a request, and answer it; ClientGoneError if the client leaves.

        ApiError for whatever is refused, before an answer has begun.
        """
        self._note(asked)
        try:
            with hearing(asked.fields.warnings.append):
                await self._answer(asked, writer)
        except (ApiError, ClientGoneError):
            raise
        except Exception as error:
            raise asked.error(error) from error

    async def _answer(self, asked: Asked, writer: AnswerWriter) -> None:
        if asked.streams:
            await self._stream(asked, writer)
            return
        data = await self.unless_gone(self._whole(asked, writer))
        await self.send_json(data, asked.headers())

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work, which is cancelled where the client leaves: ClientGoneError."""
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(_until_gone(self._receive))
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ClientGoneError
        finally:
            await cancel(task, leaving)
            del task, leaving  # an error's traceback leads here, and from the task to the error

    async def stream_events(
        self, opening: AbstractAsyncContextManager[AsyncIterator[bytes]], fields: Fields
    ) -> None:
        """Send events that some work gives, which ends where the client leaves: ClientGoneError.

        What is raised before the block of `opening` is entered has no answer before it.
        """
        self._record.streams = True
        attendant = _Attendant(self._receive, self._write, self._state.options.ping_interval)
        async with attendant, opening as events:
            await self._begin({**STREAM_HEADERS, **notices(fields)})
            attendant.note_sent()
            pace = Pace(self._state.beat)
            try:
                async for event in events:
                    attendant.note_sent()
                    await self._write(event)
                    await pace.keep()
            except ClientGoneError:
                raise
            except Exception as error:  # noqa: BLE001  as in the streams of texts
                told = api_error(error, fields.spelled)
                self._note_failure(error, told)
                await self._write(frame(told.as_dict()))
            else:
                await self._write(DONE)
        await self._send({"type": "http.response.body", "body": b""})

    async def send_json(self, data: Any, headers: Mapping[str, str] | None = None) -> None:
        """Answer with some data, or with bytes that are JSON already."""
        body = data if isinstance(data, bytes) else dumps(data)
        await send_whole(self._send, 200, JSON, body, headers or {})

    def note_view(self) -> None:
        """Take note that the request looks into the model."""
        self._record.model = self._state.model_names[0]
        self._record.is_view = True

    def note_tally(self, tally: Tally) -> None:
        """Take note of what a request for it has computed."""
        self._record.prompt_tokens += tally.prompt_tokens
        self._record.cached_tokens += tally.cached_tokens
        self._record.completion_tokens += tally.completion_tokens

    def _note(self, asked: Asked) -> None:
        record = self._record
        record.model = self._state.model_names[0]
        record.streams = asked.streams
        record.max_tokens = asked.config.max_new_tokens
        record.seed = asked.config.seed

    async def _whole(self, asked: Asked, writer: AnswerWriter) -> dict[str, Any] | bytes:
        last_chunks: list[Chunk] = []
        async with self._submit(asked, streams=False) as submitted:
            self._note_queued(submitted.prompt_lengths)
            async for chunk in submitted:
                self._note_end(chunk, submitted)
                last_chunks.append(chunk)
        outputs = ordered_outputs(last_chunks)
        if asked.is_long:
            return await asyncio.to_thread(lambda: dumps_long(writer.whole(outputs)))
        return writer.whole(outputs)

    async def _stream(self, asked: Asked, writer: AnswerWriter) -> None:
        """Send events as chunks come, with a comment now and then while none do."""
        attendant = _Attendant(self._receive, self._write, self._state.options.ping_interval)
        async with attendant, self._submit(asked, streams=True) as submitted:
            self._note_queued(submitted.prompt_lengths)
            await self._begin({**STREAM_HEADERS, **asked.headers()})
            attendant.note_sent()
            await self._write(writer.start(submitted.prompt_token_ids))
            await self._write_chunks(submitted, asked, writer, attendant)
        await self._send({"type": "http.response.body", "body": b""})

    async def _write_chunks(
        self, submitted: Submitted, asked: Asked, writer: AnswerWriter, attendant: _Attendant
    ) -> None:
        pace, is_long = Pace(self._state.beat), asked.is_long
        try:
            while chunks := await submitted.arrived():
                self._note_chunks(chunks, submitted)
                if is_long and any(_may_be_long(chunk, asked) for chunk in chunks):
                    events = await asyncio.to_thread(_events_of, chunks, writer)
                else:
                    events = _events_of(chunks, writer)
                if events:
                    attendant.note_sent()
                    await self._write(events)
                if chunks[-1].output is None:
                    await pace.keep()
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001  the answer has begun: it can only be told there
            told = asked.error(error)
            self._note_failure(error, told)
            await self._write(writer.failure(told))
        else:
            await self._write(await asyncio.to_thread(writer.end) if is_long else writer.end())

    def _note_chunks(self, chunks: list[Chunk], submitted: Submitted) -> None:
        self._record.note_chunks(chunks)
        self._record.begun = submitted.begun
        for chunk in chunks:
            if chunk.output is not None:
                self._note_end(chunk, submitted)

    def _submit(self, asked: Asked, *, streams: bool) -> Any:
        return self._state.llm.submit(
            asked.read,
            asked.config,
            streams=streams,
            default_length=asked.default_length,
            parse_special=asked.parse_special,
            priority=asked.priority,
        )

    def _note_failure(self, error: Exception, told: ApiError) -> None:
        """Take note of an error in the middle of a stream."""
        self._record.note_error(told)
        if told.status == 500:
            log_failure(self._record, error, self._state.options)

    async def _begin(self, headers: Mapping[str, str]) -> None:
        raw = as_headers(headers.items())
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _write(self, events: bytes) -> None:
        message = {"type": "http.response.body", "body": events, "more_body": True}
        await self._send(message)

    def _note_queued(self, prompt_lengths: tuple[int, ...]) -> None:
        self._record.queued = perf_counter()
        self._record.prompt_tokens = sum(prompt_lengths)

    def _note_end(self, chunk: Chunk, submitted: Submitted) -> None:
        output = chunk.require_output()
        if self._state.options.log_prompts and self._record.prompt is None:
            self._record.prompt = output.prompt
        self._record.begun = submitted.begun
        self._record.note_end(output)


def _events_of(chunks: list[Chunk], writer: AnswerWriter) -> bytes:
    """The events of chunks; long ones are to be written beside the event loop."""
    return b"".join(map(writer.chunk, chunks))


def _may_be_long(chunk: Chunk, asked: Asked) -> bool:
    """Whether a chunk's events tell of a whole prompt, or may tell of a whole text again.

    So does a receipt, and for a model's first one its file is read.
    """
    if chunk.output is None:
        return bool(chunk.prompt_logprobs)
    return bool(chunk.prompt_logprobs or chunk.output.logprobs) or asked.returns_receipts


class _Attendant:
    """Stands beside a stream: sends a comment in silence, and ends it where the client leaves.

    There are no comments until something was sent. The block is left with ClientGoneError where
    the client has left.
    """

    def __init__(
        self, receive: Receive, write: Callable[[bytes], Awaitable[None]], interval: float
    ) -> None:
        self._receive = receive
        self._write = write
        self._interval = interval
        self._sent: float | None = None
        self._end: Exception | None = None

    def note_sent(self) -> None:
        """Something was sent just now."""
        self._sent = perf_counter()

    async def __aenter__(self) -> Self:
        self._streaming = asyncio.current_task()
        self._task = asyncio.ensure_future(self._stand_by())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            await cancel(self._task)
        except asyncio.CancelledError:
            if self._end is None:
                raise
        if self._end is not None and self._streaming is not None:
            self._streaming.uncancel()
            raise self._end

    async def _stand_by(self) -> None:
        """Watch until cancelled, or until nobody can be sent to: then the stream is cancelled."""
        try:
            await self._watch()
            self._end = ClientGoneError()
        except Exception as error:  # noqa: BLE001  the stream's block raises it
            self._end = error
        if self._streaming is not None:
            self._streaming.cancel()

    async def _watch(self) -> None:
        """Send comments until the client has gone."""
        leaving = asyncio.ensure_future(_until_gone(self._receive))
        try:
            while not leaving.done():
                silence = 0.0 if self._sent is None else perf_counter() - self._sent
                if silence >= self._interval:
                    self.note_sent()
                    await self._write(PING)
                    silence = 0.0
                await asyncio.wait({leaving}, timeout=self._interval - silence)
            leaving.result()
        finally:
            await cancel(leaving)


async def _until_gone(receive: Receive) -> None:
    """Return once the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
