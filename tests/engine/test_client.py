import pytest

from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.config import GenerationConfig
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.client import EngineClient
from foretell.engine.engine import Engine
from foretell.engine.events import TokenEvent
from foretell.engine.request import Request
from foretell.engine.settings import EngineSettings
from foretell.errors import RequestError

VOCAB = 20


@pytest.fixture
def engine():
    return Engine(ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB))


def wish(prompt, count):
    return Request(prompt, GenerationConfig(max_new_tokens=count))


def test_events_wait_for_their_reader(engine):
    client = EngineClient(engine)
    first, second = client.submit(wish([1], 3), set()), client.submit(wish([2], 2), set())
    assert [event.request_id for event in client.poll([first])] == [first]
    assert [event.request_id for event in client.poll([first])] == [first]
    waiting = client.poll([second])
    assert [event.request_id for event in waiting] == [second, second]
    assert isinstance(waiting[-1], TokenEvent)
    assert waiting[-1].stop_reason.kind == "max_new_tokens"


def test_events_of_closed_requests_are_dropped(engine):
    client = EngineClient(engine)
    first, second = client.submit(wish([1], 3), set()), client.submit(wish([2], 3), set())
    client.release(first)
    client.release(first)
    assert {event.request_id for event in client.poll([second])} == {second}
    client.close()
    assert not engine.has_work


def test_an_ended_request_has_no_more(engine):
    client = EngineClient(engine)
    request_id = client.submit(wish([1], 1), set())
    client.poll([request_id])
    with pytest.raises(RequestError, match="no more to take"):
        client.poll([request_id])


def test_a_probe_has_no_row_before_it_runs(engine):
    probe = LogitsProbe()
    with pytest.raises(RequestError, match="no logits were seen"):
        probe.require_row()
    EngineClient(engine).submit(Request([1], strategy=probe), set())
    engine.step()
    assert probe.require_row().shape == (VOCAB,)


def test_a_submission_is_declined_while_too_many_wait():
    backend = ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB)
    engine = Engine(backend, EngineSettings(max_running=1, max_waiting=1))
    client = EngineClient(engine)
    first, second = client.submit(wish([1], 2), set()), client.submit(wish([2], 2), set())
    assert client.try_submit(wish([3], 2), set()) is None
    third = client.submit(wish([3], 2), set())  # steps until the first has ended
    assert len(client.poll([first])) == 2
    client.release(second)
    client.release(third)
    assert not engine.has_work


def test_one_sample_can_be_dropped(engine):
    client = EngineClient(engine)
    config = GenerationConfig(max_new_tokens=4, top_k=5, seed=1, num_return_sequences=3)
    request_id = client.submit(Request([1, 2], config), set())
    assert {event.sample for event in client.poll([request_id])} == {0, 1, 2}
    client.abort_sample(request_id, 1)
    assert {event.sample for event in client.poll([request_id])} == {0, 2}


def test_a_closed_client_says_so(engine):
    client = EngineClient(engine)
    request_id = client.submit(wish([1], 3), set())
    client.close()
    for ask in (
        lambda: client.submit(wish([1], 1), set()),
        lambda: client.try_submit(wish([1], 1), set()),
        lambda: client.poll([request_id]),
    ):
        with pytest.raises(RequestError, match="this LLM is closed"):
            ask()
    assert not engine.has_work


def test_what_was_closed_is_forgotten(engine):
    client = EngineClient(engine)
    for _ in range(3):
        client.release(client.submit(wish([1], 2), set()))
    assert client._pending == {}
