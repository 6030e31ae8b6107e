"""The line that each request logs."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from support.asgi import begin, call
from support.toy_async import GatedBackend, run
from support.toy_server import CHAT, COMPLETIONS, HELLO, serving

from foretell.server import log_lines
from foretell.server.log import (
    ASYNCIO,
    LOGGER,
    lines_on_stderr,
    log_event,
    log_failure,
    log_request,
)
from foretell.server.options import ServerOptions
from foretell.server.record import RequestRecord

NASTY = 'x\n2026-01-01T00:00:00.000Z GET /forged 200\r\x1b[2J\x9b31m\x7f\u2028\u202e"\ud800é'


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER.name]


@pytest.fixture(autouse=True)
def _level(caplog):
    caplog.set_level(logging.INFO, LOGGER.name)


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_told_in_one_line_of_json(caplog, stream):
    async def main() -> None:
        options = ServerOptions(model_names=("toy",), log_format="json")
        async with serving(options=options) as toy:
            body = {"prompt": "the cat", "max_tokens": 3, "temperature": 0, "stream": stream}
            headers = {"x-request-id": "mine"}
            await call(toy.app, COMPLETIONS, body, headers=headers)

    run(main)
    (line,) = logged(caplog)
    found = json.loads(line)
    times = [found.pop(name) for name in ("first_ms", "total_ms")]
    assert 0 <= times[0] <= times[1]
    assert found.pop("time").endswith("Z")
    assert found == {
        "method": "POST",
        "path": COMPLETIONS,
        "status": 200,
        "id": "mine",
        "model": "toy",
        "prompt_tokens": 2,
        "cached_tokens": 0,
        "completion_tokens": 3,
        "finish": "length",
    }


def test_a_request_is_told_in_one_line_of_text(caplog):
    async def main() -> None:
        async with serving() as toy:
            await call(toy.app, CHAT, {"messages": HELLO, "max_tokens": 2, "n": 2, "seed": 1})
            await call(toy.app, CHAT, {"messages": HELLO, "max_tokens": -2})

    run(main)
    good, bad = logged(caplog)
    head = good.split()
    assert "seed=1" in head
    assert head[1:4] == ["POST", CHAT, "200"]
    assert "model=toy" in head
    assert "completion_tokens=4" in head
    assert "finish=length,length" in head
    assert bad.split()[3] == "400"
    assert bad.endswith("error=invalid_request_error param=max_tokens")
    assert "prompt" not in bad


def test_who_has_left_is_noted(caplog):
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend) as toy:
            begun = begin(toy.app, COMPLETIONS, {"prompt": "a", "stream": True, "max_tokens": 9})
            backend.release()
            await begun.until(b"data: ")
            await begun.gone()
            backend.open()

    run(main)
    (line,) = logged(caplog)
    assert "left=true" in line


@pytest.mark.parametrize("tells", [False, True])
def test_words_of_a_client_are_told_only_if_that_is_asked_for(caplog, tells):
    async def main() -> None:
        options = ServerOptions(model_names=("toy",), log_prompts=tells, strict=True)
        async with serving(options=options) as toy:
            for body in (
                {"messages": [{"role": "user", "content": {"my": "secret words"}}]},
                {"messages": HELLO, "secret words": 1},
                {"messages": HELLO, "model": "secret words"},
                {"messages": HELLO, "stop": [{"secret words": 1}], "stream": True},
            ):
                assert (await call(toy.app, CHAT, body)).status in (400, 404)

    run(main)
    lines = logged(caplog)
    assert len(lines) == 4
    for line in lines:
        assert ("secret" in line) == tells
        assert "error=" in line
    if not tells:
        assert lines[2].endswith("error=not_found_error param=model code=model_not_found")


def test_prompts_are_told_only_if_that_is_asked_for(caplog):
    record = RequestRecord("a", "POST", "/x", prompt="the secret")
    log_request(record, ServerOptions())
    log_request(record, ServerOptions(log_prompts=True))
    without, with_prompt = logged(caplog)
    assert "secret" not in without
    assert 'prompt="the secret"' in with_prompt


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_can_forge_a_line_or_steer_a_terminal(caplog, form):
    record = RequestRecord(NASTY, NASTY, NASTY, model=NASTY, error=NASTY, prompt=NASTY)
    options = ServerOptions(log_format=form, log_prompts=True)
    log_request(record, options)
    try:
        raise ValueError(NASTY)
    except ValueError as error:
        log_failure(RequestRecord("a"), error, options)
    told, failure = logged(caplog)
    assert told.isprintable()
    assert "é" in told
    lines = failure.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("2026-01-01") for line in lines)
    if form == "json":
        assert json.loads(told)["error"] == NASTY
        assert NASTY.encode(errors="replace").decode() not in failure


@pytest.mark.parametrize("form", ["text", "json"])
def test_prompts_can_be_read_in_any_script(caplog, form):
    options = ServerOptions(log_format=form, log_prompts=True)
    log_request(RequestRecord("a", prompt="한글 \u202e"), options)
    (line,) = logged(caplog)
    assert "한글 \\u202e" in line


@pytest.mark.parametrize("tells", [False, True])
def test_probes_are_told_where_they_fail_or_that_is_asked_for(caplog, tells):
    async def main() -> None:
        options = ServerOptions(model_names=("toy",), log_probes=tells)
        async with serving(options=options) as toy:
            for path in ("/health", "/ready", "/metrics"):
                assert (await call(toy.app, path)).status == 200
            assert (await call(toy.app, "/version")).status == 200
            toy.app._state.lifecycle.leave()
            assert (await call(toy.app, "/ready")).status == 503
            assert (await call(toy.app, "/metrics", {})).status == 405

    run(main)
    told = [line.split()[2:4] for line in logged(caplog)]
    probes = [["/health", "200"], ["/ready", "200"], ["/metrics", "200"]] if tells else []
    assert told == [*probes, ["/version", "200"], ["/ready", "503"], ["/metrics", "405"]]


def test_long_values_are_cut(caplog):
    log_request(RequestRecord("a", "GET", "/" + "x" * 100_000), ServerOptions())
    assert len(logged(caplog)[0]) < 1000


def test_lines_go_to_stderr_and_nowhere_else(caplog, capsys):
    with lines_on_stderr():
        log_request(RequestRecord("a", "GET", "/x", status=200), ServerOptions())
    log_request(RequestRecord("b", "GET", "/x", status=200), ServerOptions())
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert "id=a" in line
    assert len(logged(caplog)) == 1  # the other one, as everybody's


def test_a_closed_stderr_is_borne(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with lines_on_stderr():
        log_request(RequestRecord("a"), ServerOptions())


# A stderr that nobody reads


@contextmanager
def stderr_is_pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a pipe that can be read, whose other end is stderr."""
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        yield ours
        monkeypatch.undo()
    os.close(ours)


def read_all(file: int) -> list[str]:
    data = b""
    while piece := os.read(file, 2**16):
        data += piece
    return data.decode().splitlines()


def test_a_stderr_that_nobody_reads_holds_up_nobody(monkeypatch):
    told = b""
    with stderr_is_pipe(monkeypatch) as ours, lines_on_stderr():
        for number in range(9000):
            log_event(f"line {number} {'x' * 100}", ServerOptions())
        while told.count(b"\n") < 1000:
            told += os.read(ours, 2**20)
        log_event("after", ServerOptions())
        while b"after\n" not in told:
            told += os.read(ours, 2**20)
    lines = told.decode().splitlines()
    numbers = [int(line.split()[2]) for line in lines if "xxx" in line]
    dropped = [int(line.split()[1]) for line in lines if "lines of the log were dropped" in line]
    assert numbers == sorted(numbers)
    assert lines[-1] == "foretell: after"
    assert sum(dropped) > 0
    assert sum(dropped) + len(numbers) == 9000


def test_an_end_does_not_wait_for_a_reader(monkeypatch):
    monkeypatch.setattr(log_lines, "LAST_SECONDS", 0.01)
    with stderr_is_pipe(monkeypatch) as ours:
        with lines_on_stderr():
            for _ in range(1000):
                log_event("x" * 200, ServerOptions())
        (thread,) = [one for one in threading.enumerate() if one.name == "foretell-log"]
        os.set_blocking(ours, False)
        while thread.is_alive():
            with suppress(BlockingIOError):
                os.read(ours, 2**20)
            thread.join(0.01)


def test_all_lines_are_written_at_the_end(monkeypatch):
    with stderr_is_pipe(monkeypatch) as ours:
        with lines_on_stderr():
            for number in range(200):
                log_event(str(number), ServerOptions())
        sys.stderr.close()
        assert read_all(ours) == [f"foretell: {number}" for number in range(200)]


def test_complaints_of_asyncio_are_told_now_and_then(monkeypatch):
    with stderr_is_pipe(monkeypatch) as ours:
        with lines_on_stderr(ServerOptions(log_format="json")):
            for number in range(5000):
                try:
                    raise OSError(24, "Too many open files")
                except OSError as error:
                    logging.getLogger("asyncio").error(
                        "no accept\nsocket: %d", number, exc_info=error
                    )
            try:
                raise KeyError("x")
            except KeyError as error:
                ASYNCIO.error("another", exc_info=error)
        sys.stderr.close()
        first, second = map(json.loads, read_all(ours))
    assert first["event"] == "no accept: [Errno 24] Too many open files"
    assert "KeyError" in second["traceback"]
