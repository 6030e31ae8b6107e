"""The logits behind the tokens of a text, some at a time, of one model or of two in step."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.events import EndEvent
from foretell.engine.prompt_rows import PromptRows
from foretell.utils.arrays import Logits

if TYPE_CHECKING:
    from foretell.analysis.continuations import ScoredSpan
    from foretell.llm import LLM


def logits_of(llm: LLM, span: ScoredSpan) -> Generator[Logits, None, None]:
    """The logits in place of each scored token of a span, in order, some rows at a time.

    The model goes on when the next rows are asked for: no more is held than a step gives.
    """
    arrived: deque[Logits] = deque()  # another thread's step may add to it at any time

    def keep(_: int, rows: Logits) -> None:
        arrived.append(rows.copy())

    opened = llm._require_open()
    ids = [*span.computed]
    wanted = PromptRows(len(ids) - span.num_scored, keep)
    template = opened.inputs.template(
        opened.inputs.settings(None, {}), strategy=LogitsProbe(), prompt_rows=wanted
    )
    job = opened.inputs.job(ids, template, parse_special=False)
    under_way: set[int] = set()
    try:
        opened.client.submit(job.request, under_way)
        has_ended = False
        while not has_ended:
            for event in opened.client.poll(under_way):
                has_ended = has_ended or isinstance(event, EndEvent)
                if isinstance(event, EndEvent) and event.error is not None:
                    raise event.error
            while arrived:
                yield arrived.popleft()
    finally:
        for request_id in under_way:
            opened.client.release(request_id)


def logits_in_step(
    model: LLM, reference: LLM, span: ScoredSpan
) -> Generator[tuple[Logits, Logits], None, None]:
    """The same rows of two models, which may give them in other portions."""
    with closing(logits_of(model, span)) as first, closing(logits_of(reference, span)) as second:
        ours = theirs = np.empty((0, 0), dtype=np.float32)
        left = span.num_scored
        while left:
            ours = ours if len(ours) else next(first)
            theirs = theirs if len(theirs) else next(second)
            number = min(len(ours), len(theirs), left)
            yield ours[:number], theirs[:number]
            ours, theirs = ours[number:], theirs[number:]
            left -= number
