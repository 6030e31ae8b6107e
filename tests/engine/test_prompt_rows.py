"""Who looks at a prompt's logits sees each wanted row once, in order; no others are computed."""

import numpy as np
import pytest

from foretell import ForetellError
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.client import EngineClient
from foretell.engine.engine import Engine
from foretell.engine.events import EndEvent
from foretell.engine.prompt_rows import PromptRows
from foretell.engine.request import Request
from foretell.engine.settings import EngineSettings

VOCAB_SIZE = 40
SCRIPT = improvise(VOCAB_SIZE)
PROMPT = [*range(3, 40)] * 4  # 148 tokens


def looking(prompt, first, seen):
    def read(position, rows):
        seen.extend((position + index, row.copy()) for index, row in enumerate(rows))

    return Request(prompt, strategy=LogitsProbe(), prompt_rows=PromptRows(first, read))


def run(engine, *requests):
    """Run requests to their ends; the events that ended them."""
    client, ids = EngineClient(engine), set()
    for request in requests:
        client.submit(request, ids)
    ends = []
    left = set(ids)
    while left:
        for event in client.poll(left):
            if isinstance(event, EndEvent):
                ends.append(event)
                left.discard(event.request_id)
    return ends


def made(**sizes):
    return ScriptedBackend(SCRIPT, vocab_size=VOCAB_SIZE, **sizes)


def check(seen, prompt, first):
    assert [position for position, _ in seen] == [*range(first, len(prompt))]
    for position, row in seen:
        assert np.array_equal(row, SCRIPT(tuple(prompt[: position + 1])))


@pytest.mark.parametrize("first", [0, 3, 4, 100, 147])
@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_each_row_is_seen_once_whatever_the_chunks(first, chunk):
    seen, backend = [], made(context_length=256, num_blocks=128)
    run(Engine(backend, EngineSettings(max_batch_tokens=chunk)), looking(PROMPT, first, seen))
    check(seen, PROMPT, first)
    num_rows = sum(len(batch.logits_indices) for batch in backend.batches)
    assert num_rows == len(PROMPT) - first


def test_what_comes_before_is_found_in_the_cache():
    backend = made(context_length=256, num_blocks=128)
    engine, seen, again = Engine(backend), [], []
    run(engine, looking(PROMPT, 140, seen))
    before = len(backend.batches)
    run(engine, looking([*PROMPT[:140], 3, 4, 5], 140, again))
    check(again, [*PROMPT[:140], 3, 4, 5], 140)
    assert sum(len(batch.tokens) for batch in backend.batches[before:]) <= 3 + 4
    assert engine.stats().cached_tokens >= 136


def test_rows_are_seen_once_where_blocks_are_taken_away():
    backend = made(context_length=256, num_blocks=50)
    several = [[] for _ in range(5)]
    prompts = [[index + 1, *PROMPT] for index in range(5)]
    engine = Engine(backend, EngineSettings(max_batch_tokens=16))
    run(engine, *(looking(prompt, 60, seen) for prompt, seen in zip(prompts, several, strict=True)))
    for prompt, seen in zip(prompts, several, strict=True):
        check(seen, prompt, 60)
    assert engine.num_free_blocks == 50


def test_what_a_look_raises_ends_its_request_alone():
    def read(position, rows):
        raise ForetellError("seen enough")

    seen = []
    bad = Request(PROMPT, strategy=LogitsProbe(), prompt_rows=PromptRows(5, read))
    engine = Engine(made(context_length=256, num_blocks=128))
    ends = run(engine, bad, looking(PROMPT, 5, seen))
    assert {event.finish_reason for event in ends} == {"error", "stop"}
    assert [str(event.error) for event in ends if event.error] == ["seen enough"]
    check(seen, PROMPT, 5)
    assert engine.num_free_blocks == 128
