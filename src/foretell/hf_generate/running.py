"""Requests → the engine as it has room → texts in ids."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from foretell.engine.client import EngineClient
from foretell.engine.events import EndEvent, TokenEvent
from foretell.engine.request import Request
from foretell.hf_generate.functions import Ends
from foretell.utils.tensors import Arrays, to_host


class Streamer(Protocol):
    """transformers' BaseStreamer."""

    def put(self, value: Any) -> None:
        """Take the prompts, and then each step's tokens."""
        ...

    def end(self) -> None:
        """No more come."""
        ...


@dataclass
class Text:
    """What is generated for a row; `score` is what a beam search ranked it by."""

    tokens: list[int] = field(default_factory=list)
    has_ended: bool = False
    score: float | None = None


@dataclass
class Line:
    """A request under way, and its texts; `ends` has those that the engine does not know."""

    request: Request
    ends: Sequence[Sequence[Ends]]
    texts: list[Text]

    @property
    def has_ended(self) -> bool:
        """Whether all texts have."""
        return all(text.has_ended for text in self.texts)


def run(client: EngineClient, lines: Sequence[Line]) -> Generator[None, None, None]:
    """Run the lines' requests, as many at once as the engine takes, and write their texts.

    Yields whenever a text may have grown. The first error ends all, and so does leaving early.
    """
    waiting = [*lines][::-1]
    open_lines: dict[int, Line] = {}
    ids: set[int] = set()  # requests to be released
    try:
        while waiting or open_lines:
            _feed(client, waiting, open_lines, ids)
            for event in client.poll(open_lines):
                line = open_lines.get(event.request_id)
                if line is not None and isinstance(event, (TokenEvent, EndEvent)):
                    _take(client, line, event)
                    if line.has_ended:
                        client.release(event.request_id)
                        del open_lines[event.request_id]
            yield
    finally:
        for request_id in ids:
            client.release(request_id)


def _feed(
    client: EngineClient, waiting: list[Line], open_lines: dict[int, Line], ids: set[int]
) -> None:
    while waiting:
        add = client.try_submit if open_lines else client.submit
        request_id = add(waiting[-1].request, ids)
        if request_id is None:
            return
        open_lines[request_id] = waiting.pop()


def _take(client: EngineClient, line: Line, event: TokenEvent | EndEvent) -> None:
    text = line.texts[event.sample]
    if text.has_ended:
        return
    if isinstance(event, EndEvent):
        if event.error is not None:
            raise event.error
        text.has_ended = True
        return
    text.tokens.append(event.token_id)
    text.score = event.score
    if event.stop_reason is not None:
        text.has_ended = True
    elif not line.request.strategy_kind.emits and _ends(line, event.sample):
        text.has_ended = True
        client.abort_sample(event.request_id, event.sample)


def _ends(line: Line, sample: int) -> bool:
    tokens = line.texts[sample].tokens
    return any(ends(tokens) for ends in line.ends[sample])


class Stream:
    """Hands a streamer the tokens as `generate` of transformers does: the prompts, then step by
    step one token of each text, with the filling for those that have ended.
    """

    def __init__(
        self, streamer: Streamer, texts: Sequence[Text], filling: int | None, arrays: Arrays
    ) -> None:
        self._streamer = streamer
        self._texts = texts
        self._filling = filling
        self._arrays = arrays
        self._num_streamed = 0

    def begin(self, prompts: list[list[int]]) -> None:
        """Stream the prompts, padding included, one for each text."""
        self._put(prompts)

    def go_on(self) -> None:
        """Stream the steps that are complete by now."""
        while self._is_complete():
            step = self._num_streamed
            self._put(
                [
                    text.tokens[step] if step < len(text.tokens) else self._filling
                    for text in self._texts
                ]
            )
            self._num_streamed += 1

    def _is_complete(self) -> bool:
        lengths = [len(text.tokens) for text in self._texts]
        more = [length > self._num_streamed for length in lengths]
        return any(more) and all(
            has_more or text.has_ended for has_more, text in zip(more, self._texts, strict=True)
        )

    def end(self) -> None:
        """Say that no more come."""
        self._streamer.end()

    def _put(self, values: list[Any]) -> None:
        self._streamer.put(to_host(self._arrays.ids(values)))
