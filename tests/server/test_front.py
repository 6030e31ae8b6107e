"""What stands before the routes: hosts, pages, keys, sizes, ids, and errors on every path."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from support.asgi import Answer, begin, call
from support.toy_async import GatedBackend, run, toy_async_llm, until_queued
from support.toy_server import CHAT, COMPLETIONS, HELLO, serving

from foretell.errors import NumericalError
from foretell.server.body import ClientGoneError
from foretell.server.front import Front
from foretell.server.lifecycle import Lifecycle
from foretell.server.options import ServerOptions
from foretell.server.routes import Endpoint, Endpoints, Probe
from foretell.server.state import ServerState

KEY = "sk-" + "x" * 20
PAGE = "https://pages.example"


async def tells(request: Any) -> JSONResponse:
    return JSONResponse({"path": request.url.path, "body": (await request.body()).decode()})


class Failing:
    """An application that raises, perhaps in the middle of its answer."""

    def __init__(self, error: BaseException, *, begins: bool = False) -> None:
        self.error = error
        self.begins = begins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise self.error


@asynccontextmanager
async def front(*routes: Route, **options: Any) -> AsyncIterator[Front]:
    """A front before a few routes of its own."""
    async with toy_async_llm() as llm:
        state = ServerState(llm, ServerOptions(**options), Lifecycle())
        own = [
            *(Probe(path, tells, is_open=True) for path in ("/health", "/ready")),
            Probe("/metrics", tells),
            Route("/v1/echo", tells, methods=["GET", "POST"]),
            Route("/v1/models/{name:path}", tells),
        ]
        yield Front(state, Endpoints([*own, *routes]))


def asked(*paths: str, **options: Any) -> list[Answer]:
    """Answers to GETs at these paths, with `headers` if that is among the options."""
    headers = options.pop("headers", {})
    answers: list[Answer] = []

    async def main() -> None:
        async with front(**options) as app:
            for path in paths:
                answers.append(await call(app, path, headers=headers))

    run(main)
    return answers


# Errors


def test_whatever_is_not_there_is_told_in_the_form_of_openai():
    async def main() -> None:
        async with serving() as toy:
            for path in ("/no", "/v1", "/v1/embeddings", "/v1/chat/completions/", "/docs"):
                answer = await call(toy.app, path)
                assert answer.status == 404
                assert answer.error["type"] == "not_found_error"
            answer = await call(toy.app, CHAT)
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
            assert answer.error["type"] == "invalid_request_error"

    run(main)


def test_what_nobody_expects_is_told_to_the_log_alone(caplog):
    async def main() -> None:
        secret = Route("/fails", Failing(ZeroDivisionError("the secret")))
        async with front(secret) as app:
            answer = await call(app, "/fails", headers={"x-request-id": "abc"})
        assert answer.status == 500
        assert answer.headers["x-should-retry"] == "false"
        assert b"secret" not in answer.body
        assert answer.error["type"] == "server_error"
        assert "ZeroDivisionError: the secret" in caplog.text
        assert "abc failed" in caplog.text

    with caplog.at_level("INFO", "foretell.server"):
        run(main)


def test_an_error_of_the_model_has_its_status_and_is_not_computed_again():
    async def main() -> None:
        async with front(Route("/nan", Failing(NumericalError("NaN at row 3")))) as app:
            answer = await call(app, "/nan")
        assert (answer.status, answer.headers["x-should-retry"]) == (500, "false")
        assert answer.error["message"] == "NaN at row 3"

    run(main)


def test_an_answer_that_has_begun_is_cut_off(caplog):
    async def main() -> None:
        async with front(Route("/half", Failing(ZeroDivisionError(), begins=True))) as app:
            begun = begin(app, "/half")
            with pytest.raises(ZeroDivisionError):
                await begun.ended()
            assert not begun.answer.has_ended

    run(main)


def test_a_client_that_has_left_is_sent_nothing(caplog):
    async def main() -> None:
        async with front(Route("/gone", Failing(ClientGoneError()))) as app:
            assert (await call(app, "/gone")).status == 0

    with caplog.at_level("INFO", "foretell.server"):
        run(main)
    assert "left=true" in caplog.text


def test_other_frameworks_around_it_do_not_answer_its_errors():
    async def main() -> None:
        async with front(api_keys=(KEY,)) as app:
            around = Starlette(routes=[Mount("/model", app)])
            for path, status in [("/model/v1/echo", 401), ("/model/health", 200)]:
                assert (await call(around, path)).status == status
            key = {"authorization": f"Bearer {KEY}"}
            answer = await call(around, "/model/nope", headers=key)
            assert (answer.status, answer.error["type"]) == (404, "not_found_error")
            assert (await call(around, "/model/v1/echo", headers=key)).status == 200

    run(main)


def test_there_are_no_websockets():
    async def main() -> None:
        async with front() as app:
            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)

            await app({"type": "websocket"}, send, send)
            assert sent == [{"type": "websocket.close", "code": 1008}]

    run(main)


# Ids and times


@pytest.mark.parametrize("sane", ["a", "req-1_2/3", "~" * 128])
def test_a_sane_request_id_comes_back(sane):
    (answer,) = asked("/v1/echo", headers={"x-request-id": sane})
    assert answer.headers["x-request-id"] == sane
    assert answer.headers["openai-processing-ms"].isdecimal()


@pytest.mark.parametrize("odd", ["", "a b", "a\tb", "a" * 129, "ü", "\x1b[31m"])
def test_an_odd_request_id_is_replaced(odd):
    one, other = asked("/v1/echo", "/nope", headers={"x-request-id": odd})
    ids = [answer.headers["x-request-id"] for answer in (one, other)]
    assert all(re.fullmatch("req_[0-9a-f]{32}", found) for found in ids)
    assert ids[0] != ids[1]


# Keys


def test_a_key_is_asked_for_at_all_paths_but_two():
    open_answers = asked("/health", "/ready", api_keys=(KEY,))
    assert [answer.status for answer in open_answers] == [200, 200]
    guarded = ("/v1/echo", "/metrics", "/", "/nope", "/v1/models/x")
    for answer in asked(*guarded, api_keys=(KEY,)):
        assert answer.status == 401
        assert answer.error["code"] == "invalid_api_key"
        assert answer.error["type"] == "authentication_error"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    [
        *("//health", "/health/", "/health//", "/./health", "/HEALTH", "/health/../v1/echo"),
        *("/health/v1/echo", "/v1/echo/health", "/v1/models/health", "/v1/models//health"),
        *("/health\0", "/health;x", "/health%2f..%2fv1/echo", "/v1/models/../../health", "health"),
        *("/v1/echo?x=/health", "", "/ready ", " /ready", "/ready\r\n"),
    ],
)
def test_no_spelling_of_a_path_is_a_way_around_the_key(path):
    (answer,) = asked(path, api_keys=(KEY,))
    assert answer.status == 401


@pytest.mark.parametrize("root", ["/health", "/", "", "/v1"])
def test_no_place_of_mounting_is_a_way_around_the_key(root):
    async def main() -> None:
        async with front(api_keys=(KEY,)) as app:
            for path in ("/v1/echo", "/health/v1/echo", "/v1/v1/echo", "/health/health/v1/echo"):
                begun = begin(_rooted(app, root), path)
                assert (await begun.ended()).status == 401, path

    run(main)


def _rooted(app: Any, root: str) -> Any:
    return lambda scope, receive, send: app({**scope, "root_path": root}, receive, send)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"api-key": "other"},
        {"x-api-key": KEY},
        {"authorization": "Basic abc", "x-api-key": KEY},
    ],
)
def test_any_of_the_keys_opens(headers):
    (answer,) = asked("/v1/echo", headers=headers, api_keys=(KEY, "other"))
    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY},other"},
        {"x-api-key": ""},
        {"x-api-key": "ü"},
    ],
)
def test_nothing_else_opens(headers):
    (answer,) = asked("/v1/echo", headers=headers, api_keys=(KEY, "other"))
    assert answer.status == 401
    assert KEY not in answer.body.decode()


def test_no_key_is_asked_for_where_there_is_none():
    (answer,) = asked("/v1/echo", headers={"authorization": "Bearer EMPTY"})
    assert answer.status == 200


# Hosts

LOCAL = ("localhost", "127.0.0.1", "[::1]", "*.example.com", "Named.Org:1")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost:8000", "localhost.", "127.0.0.1:1", "[::1]", "[::1]:8000"),
        *("a.example.com", "a.b.example.com:80", "named.org", "named.org:2"),
    ],
)
def test_names_of_this_server_are_let_pass(host):
    (answer,) = asked("/v1/echo", headers={"host": host}, allowed_hosts=LOCAL)
    assert answer.status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "evil.example:8000", "127.0.0.2", "[::2]"),
        *("example.com", "evilexample.com", "localhost:port", "localhost:8000:9", "a@localhost"),
        *("localhost/x", "", "[::1", "user:pass@localhost:1", "localhost@evil.example"),
        *("localhost\xa0", "\x85localhost"),
    ],
)
def test_other_names_are_refused(host):
    (answer, health) = asked("/v1/echo", "/health", headers={"host": host}, allowed_hosts=LOCAL)
    assert answer.status == health.status == 421
    assert answer.error["code"] is None


def test_any_name_will_do_where_none_are_told():
    for options in ({}, {"allowed_hosts": ("*",)}):
        (answer,) = asked("/v1/echo", headers={"host": "evil.example"}, **options)
        assert answer.status == 200


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["evil.example", "localhost"]])
def test_there_must_be_one_host(hosts):
    async def main() -> None:
        async with front(allowed_hosts=LOCAL) as app:

            def with_hosts(scope: Any, receive: Any, send: Any) -> Any:
                return app({**scope, "headers": headers}, receive, send)

            headers = [(b"host", host.encode()) for host in hosts]
            assert (await call(with_hosts, "/v1/echo")).status == 400

    run(main)


def test_a_body_has_one_length():
    headers = {"content-length": "1", "transfer-encoding": "chunked"}
    answer, health = asked("/v1/echo", "/health", headers=headers)
    assert (answer.status, health.status) == (400, 400)
    assert answer.headers["connection"] == "close"


# Pages of browsers


@pytest.mark.parametrize("origins", [(PAGE, "http://evil.example"), (PAGE, PAGE)])
def test_two_origins_are_nobodys(origins):
    async def main() -> None:
        async with front(cors_origins=(PAGE,)) as app:

            def with_origins(scope: Any, receive: Any, send: Any) -> Any:
                pairs = [(b"origin", origin.encode()) for origin in origins]
                return app({**scope, "headers": [*scope["headers"], *pairs]}, receive, send)

            answer = await call(with_origins, "/v1/echo")
            assert answer.status == 403
            assert "access-control-allow-origin" not in answer.headers

    run(main)


def test_pages_of_other_sites_may_not_ask():
    for origin in (PAGE, "null", "http://localhost:3000", "file://", "http://localhost.evil"):
        answer, health = asked("/v1/echo", "/health", headers={"origin": origin})
        assert (answer.status, answer.error["type"]) == (403, "permission_error")
        assert "access-control-allow-origin" not in answer.headers
        assert health.status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_pages_of_its_own_may_ask(scheme):
    headers = {"origin": f"{scheme}://LocalHost:8000", "host": "localhost:8000"}
    (answer,) = asked("/v1/echo", headers=headers)
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("origins", "shared"), [((PAGE,), PAGE), (("*",), "*")])
def test_pages_that_may_ask_can_read_all_answers(origins, shared):
    options = {"api_keys": (KEY,), "cors_origins": origins}
    paths = ("/v1/echo", "/nope", "/health")
    for answer in asked(*paths, headers={"origin": PAGE}, **options):
        assert answer.status in (200, 401)  # a 401, too
        assert answer.headers["access-control-allow-origin"] == shared
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


def test_a_page_asks_beforehand_without_a_key():
    async def main() -> None:
        async with front(api_keys=(KEY,), cors_origins=(f"{PAGE}/",)) as app:
            wishes = {
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization, x-stainless-os",
                "access-control-request-private-network": "true",
            }
            headers = {"origin": PAGE, **wishes}
            answer = await call(app, "/v1/echo", method="OPTIONS", headers=headers)
            assert (answer.status, answer.body) == (204, b"")
            told = {
                name.removeprefix("access-control-allow-"): value
                for name, value in answer.headers.items()
                if name.startswith("access-control-allow-")
            }
            assert told == {
                "origin": PAGE,
                "methods": "GET, HEAD, POST, OPTIONS",
                "headers": "authorization, x-stainless-os",
                "private-network": "true",
            }
            headers["origin"] = "https://other.example"
            assert (await call(app, "/v1/echo", method="OPTIONS", headers=headers)).status == 403
            del headers["origin"]
            assert (await call(app, "/v1/echo", method="OPTIONS", headers=headers)).status == 401

    run(main)


# Sizes


def test_a_body_that_says_it_is_too_large_is_not_read():
    async def main() -> None:
        async with front(max_body_bytes=10) as app:
            assert (await call(app, "/v1/echo", b"x" * 10)).status == 200
            for length in ("11", "9" * 30):
                told = {"content-length": length}
                answer = await call(app, "/v1/echo", b"x" * 11, headers=told)
                assert answer.status == 413
                assert answer.headers["connection"] == "close"
                assert "at most 10 bytes" in answer.error["message"]

    run(main)


def test_who_still_writes_a_large_body_sees_the_answer():
    async def main() -> None:
        async with front(max_body_bytes=10) as app:
            parts = [{"type": "http.request", "body": b"x", "more_body": True}] * 50
            parts.append({"type": "http.request", "body": b"x", "more_body": False})
            when_ended: list[int] = []

            async def receive() -> Any:
                await asyncio.sleep(0)
                return parts.pop(0)

            async def send(message: Any) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    when_ended.append(len(parts))

            scope = {"type": "http", "method": "POST", "path": "/v1/echo"}
            await app({**scope, "headers": [(b"content-length", b"51")]}, receive, send)
            assert when_ended == [0]

    run(main)


# No model


def test_without_a_model_only_health_and_metrics_are_told():
    async def main() -> None:
        llm = toy_async_llm()
        state = ServerState(llm, ServerOptions(api_keys=(KEY,)), Lifecycle())
        health = Probe("/health", tells, is_open=True)
        app = Front(state, Endpoints([health, Endpoint("GET", "/v1/echo", tells)]))
        key = {"api-key": KEY}
        first = await call(app, "/v1/echo", headers=key)  # the first request has it loaded
        assert (first.status, first.headers["retry-after"]) == (503, "5")
        assert first.error["type"] == "service_unavailable_error"
        assert (await call(app, "/health")).status == 200
        assert (await call(app, "/v1/echo")).status == 401  # strangers are told nothing
        await state.lifecycle.loaded()
        assert (await call(app, "/v1/echo", headers=key)).status == 200
        await state.lifecycle.close(llm)
        after = await call(app, "/v1/echo", headers=key)
        assert (after.status, after.headers["connection"]) == (503, "close")

    run(main)


def test_the_first_request_may_be_a_chat():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "max_tokens": 2}
            answer = await call(toy.app, CHAT, body)
            assert answer.status == 200
            assert answer.headers["x-request-id"].startswith("req_")

    run(main)


def test_who_finds_no_place_is_told_when_to_ask_again():
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend, max_waiting=1, max_running=1) as toy:
            body = {"prompt": "a", "max_tokens": 2}
            calls = [begin(toy.app, COMPLETIONS, body)]
            await asyncio.to_thread(backend.is_waiting.wait, 30)
            calls += [begin(toy.app, COMPLETIONS, body) for _ in range(2)]
            await until_queued(toy.llm, 2)
            backend.open()
            answers = [await one.ended() for one in calls]
            assert sorted(answer.status for answer in answers) == [200, 200, 429]
            (refused,) = [answer for answer in answers if answer.status == 429]
            assert refused.headers["retry-after"] == "5"
            assert refused.error["code"] == "queue_full"
            assert refused.error["type"] == "rate_limit_error"

    run(main)
