import pytest

from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.config import GenerationConfig
from foretell.decoding.strategies import Observe
from foretell.engine.client import Mailroom
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
    room = Mailroom(engine)
    first, second = room.open(wish([1], 3)), room.open(wish([2], 2))
    assert [event.request_id for event in room.take([first])] == [first]
    assert [event.request_id for event in room.take([first])] == [first]
    waiting = room.take([second])
    assert [event.request_id for event in waiting] == [second, second]
    assert isinstance(waiting[-1], TokenEvent)
    assert waiting[-1].stop_reason.kind == "max_new_tokens"


def test_events_of_closed_requests_are_dropped(engine):
    room = Mailroom(engine)
    first, second = room.open(wish([1], 3)), room.open(wish([2], 3))
    room.close(first)
    room.close(first)
    assert {event.request_id for event in room.take([second])} == {second}
    room.close_all()
    assert not engine.has_work


def test_an_ended_request_has_no_more(engine):
    room = Mailroom(engine)
    request_id = room.open(wish([1], 1))
    room.take([request_id])
    with pytest.raises(RequestError, match="no more to take"):
        room.take([request_id])


def test_an_observer_has_no_row_before_it_runs(engine):
    observer = Observe()
    with pytest.raises(RequestError, match="no logits were seen"):
        observer.require_row()
    Mailroom(engine).open(Request([1], strategy=observer))
    engine.step()
    assert observer.require_row().shape == (VOCAB,)


def test_an_offer_is_declined_while_too_many_wait():
    backend = ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB)
    engine = Engine(backend, EngineSettings(max_running=1, max_waiting=1))
    room = Mailroom(engine)
    first, second = room.open(wish([1], 2)), room.open(wish([2], 2))
    assert room.offer(wish([3], 2)) is None
    third = room.open(wish([3], 2))  # steps until the first has ended
    assert len(room.take([first])) == 2
    room.close(second)
    room.close(third)
    assert not engine.has_work


def test_one_sample_can_be_dropped(engine):
    room = Mailroom(engine)
    config = GenerationConfig(max_new_tokens=4, top_k=5, seed=1, num_return_sequences=3)
    request_id = room.open(Request([1, 2], config))
    assert {event.sequence for event in room.take([request_id])} == {0, 1, 2}
    room.drop(request_id, 1)
    assert {event.sequence for event in room.take([request_id])} == {0, 2}


def test_a_closed_room_says_so(engine):
    room = Mailroom(engine)
    request_id = room.open(wish([1], 3))
    room.close_all()
    for ask in (
        lambda: room.open(wish([1], 1)),
        lambda: room.offer(wish([1], 1)),
        lambda: room.take([request_id]),
    ):
        with pytest.raises(RequestError, match="this LLM is closed"):
            ask()
    assert not engine.has_work


def test_what_was_closed_is_forgotten(engine):
    room = Mailroom(engine)
    for _ in range(3):
        room.close(room.open(wish([1], 2)))
    assert room._boxes == {}
