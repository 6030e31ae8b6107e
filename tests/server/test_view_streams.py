"""Views as streams: the parts as they are made, and at the end what is told without a stream."""

from __future__ import annotations

import asyncio

import pytest
from support.asgi import begin, call
from support.toy_async import GatedBackend, run, scripted, until_running
from support.toy_beam_search import script as beam_script
from support.toy_server import HELLO, serving

from foretell.errors import QueueFullError
from foretell.server.options import ServerOptions

BEAMS, COMPARE = "/v1/foretell/beams", "/v1/foretell/compare"
PROMPT = "the cat sat"
WARM = {"temperature": 1.3, "max_tokens": 7}
STRATEGIES = {"greedy": {}, "warm": WARM, "beams": {"num_beams": 3}, "own": {**WARM, "seed": 9}}
LONG = {
    BEAMS: {"max_new_tokens": 250, "num_beams": 16, "ignore_eos": True},
    COMPARE: {"max_new_tokens": 1000, "strategies": STRATEGIES, "ignore_eos": True},
}


async def both(app, path, body):
    """The events of a stream, and the whole that is told without one."""
    whole = (await call(app, path, body)).data
    answer = await call(app, path, {**body, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *parts, last, done = answer.events
    assert done == "[DONE]"
    return parts, last, whole


def check_runs(parts, whole):
    """The pieces of each run, joined, are the run."""
    runs = {}
    for part in parts:
        assert part["object"] == "foretell.compare.chunk"
        runs.setdefault((part["strategy"], part["run"]), []).append(part)
    told = {
        (result["name"], number): one
        for result in whole["results"]
        for number, one in enumerate(result["runs"])
    }
    assert runs.keys() == told.keys()
    for key, one in told.items():
        pieces = runs[key]
        assert {piece["seed"] for piece in pieces} == {one["seed"]}
        assert "".join(piece["text"] for piece in pieces) == one["text"]
        assert [token for piece in pieces for token in piece["token_ids"]] == one["token_ids"]
        tokens = [token for piece in pieces for token in piece["logprobs"]]
        assert [token["logprob"] for token in tokens] == one["logprobs"]
        assert [token["token_id"] for token in tokens] == one["token_ids"]
        *others, last = [piece["finish_reason"] for piece in pieces]
        assert (set(others) <= {None}, last) == (True, one["finish_reason"])


@pytest.mark.parametrize("source", [{"prompt": PROMPT}, {"messages": HELLO}])
@pytest.mark.parametrize("wish", [{"seeds": [4, 5]}, {"max_tokens": 3}, {"stop": ["e"]}])
def test_a_comparison_streams_each_run_and_then_the_whole(wish, source):
    async def main() -> None:
        async with serving() as toy:
            body = {**source, "strategies": STRATEGIES, **wish}
            parts, last, whole = await both(toy.app, COMPARE, body)
            assert last == whole
            check_runs(parts, whole)

    run(main)


def test_the_runs_of_a_comparison_are_written_side_by_side():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": PROMPT, "strategies": {"a": {}, "b": WARM}, "ignore_eos": True}
            parts, _, _ = await both(toy.app, COMPARE, {**body, "max_tokens": 40, "seeds": 1})
            names = [part["strategy"] for part in parts]
            assert names.index("b") < len(names) - 1 - names[::-1].index("a")

    run(main)


def joined(parts):
    """The steps of a tree from the events of its search, with what later ones revise."""
    steps = []
    for number, part in enumerate(parts):
        assert (part["object"], part["index"]) == ("foretell.beams.step", number)
        for one in part["revised"]:
            steps[one["step"]]["beams"][one["beam"]]["candidates"][one["index"]] = one["candidate"]
        steps.append(part["step"])
    return steps


SEARCHES = [
    {},
    {"num_beams": 3, "n": 2, "max_tokens": 6},
    {"num_beams": 2, "length_penalty": 2.0, "max_tokens": 12, "early_stopping": "never"},
    {"num_beams": 4, "length_penalty": -1.0, "max_tokens": 9},
    {"num_beams": 3, "do_sample": True, "seed": 3, "max_tokens": 8},
    {"num_beams": 3, "max_tokens": 10, "early_stopping": True},
]


@pytest.mark.parametrize("wish", SEARCHES)
def test_the_steps_of_a_search_joined_are_the_tree(wish):
    async def main() -> None:
        async with serving(scripted(beam_script)) as toy:
            parts, last, whole = await both(toy.app, BEAMS, {"prompt": PROMPT, **wish})
            del last["outputs"], whole["outputs"]  # which say how long it took
            assert last == whole
            assert joined(parts) == whole["steps"]
            assert parts[-1]["hypotheses"] == whole["hypotheses"]
            assert [part["end"] for part in parts] == [None] * (len(parts) - 1) + [whole["end"]]
            for part in parts:
                assert len(part["hypotheses"]) == part["step"]["num_hypotheses"]

    run(main)


def test_what_a_later_step_outdoes_is_revised():
    async def main() -> None:
        async with serving(scripted(beam_script)) as toy:
            wish = {"num_beams": 4, "length_penalty": 2.0, "max_tokens": 12}
            parts, _, _ = await both(toy.app, BEAMS, {"prompt": PROMPT, **wish})
            fates = {one["candidate"]["fate"] for part in parts for one in part["revised"]}
            assert fates == {"finished", "fell"}

    run(main)


REFUSED = [
    (BEAMS, {"num_beams": 1}, "num_beams"),
    (BEAMS, {"temperature": -1}, "temperature"),
    (BEAMS, {"stream": 1}, "stream"),
    (BEAMS, {"prompt": "hello " * 2000}, None),
    (COMPARE, {"strategies": {"a": {"top_p": 7}}}, "strategies"),
    (COMPARE, {"strategies": {"a": {"n": 2, "temperature": 1}}}, "strategies"),
    (COMPARE, {"seeds": [1, 1]}, "seeds"),
    (COMPARE, {"top_p": 7}, "top_p"),
    (COMPARE, {"stream": "yes"}, "stream"),
    (COMPARE, {"prompt": "hello " * 2000}, None),
]


@pytest.mark.parametrize(("path", "wish", "param"), REFUSED)
def test_what_is_refused_is_refused_before_the_stream(path, wish, param):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, path, {"prompt": PROMPT, "stream": True, **wish})
            assert answer.status == 400, answer.body
            assert param is None or answer.error["param"] == param

    run(main)


@pytest.mark.parametrize("path", [BEAMS, COMPARE])
def test_headers_tell_what_is_unknown_and_what_is_odd(path):
    async def main() -> None:
        async with serving() as toy:
            odd = {"repetition_penalty": 9.0, "bad": 1, "stream": True}
            answer = await call(toy.app, path, {"prompt": PROMPT, **odd})
            assert answer.headers["x-foretell-ignored"] == "bad"
            assert "repetition_penalty=9" in answer.headers["x-foretell-warning"]

    run(main)


@pytest.mark.parametrize("path", [BEAMS, COMPARE])
def test_a_client_that_leaves_ends_its_stream(path):
    async def main() -> None:
        async with serving(scripted(context_length=4096, num_blocks=9000)) as toy:
            gone = begin(toy.app, path, {"prompt": PROMPT, "stream": True, **LONG[path]})
            await gone.until(b"data: ")
            await until_running(toy.llm)
            await gone.gone()
            stats = await toy.llm.stats()
            assert (stats.running, stats.waiting) == (0, 0)
            assert not gone.answer.body.endswith(b"[DONE]\n\n")

    run(main)


@pytest.mark.parametrize("path", [BEAMS, COMPARE])
def test_an_error_in_the_middle_is_an_event(path):
    async def main() -> None:
        def script(history):
            if len(history) > 6:
                raise RuntimeError("broken in the middle")
            return beam_script(history)

        async with serving(scripted(script)) as toy:
            body = {"prompt": PROMPT, "stream": True, "max_new_tokens": 50, "ignore_eos": True}
            answer = await call(toy.app, path, body)
            *parts, last = answer.events
            assert answer.status == 200
            assert parts
            assert last["error"]["type"] == "server_error"
            assert "in the middle" in last["error"]["message"]

    run(main)


@pytest.mark.parametrize("path", [BEAMS, COMPARE])
def test_silence_is_filled_with_comments(path):
    backend = GatedBackend()

    async def main() -> None:
        options = ServerOptions(model_names=("toy",), ping_interval=0.01)
        async with serving(backend, options) as toy:
            asked = begin(toy.app, path, {"prompt": PROMPT, "stream": True, "max_new_tokens": 3})
            await asked.until(b": ping\n\n")
            assert asked.answer.status == 200
            backend.open()
            answer = await asked.ended()
            assert answer.events[-1] == "[DONE]"

    run(main)


def test_a_full_queue_refuses_a_search_before_its_stream():
    backend = GatedBackend()

    async def main() -> None:
        async with serving(backend, max_waiting=1, max_running=5) as toy:
            body = {"prompt": PROMPT, "stream": True, "max_new_tokens": 3}
            asked = [begin(toy.app, BEAMS, body) for _ in range(4)]
            await asyncio.sleep(0.1)
            backend.open()
            answers = [await one.ended() for one in asked]
            assert 429 in {one.status for one in answers}
            assert all(one.status in (200, QueueFullError.http_status) for one in answers)

    run(main)
