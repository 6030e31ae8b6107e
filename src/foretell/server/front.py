"""Before the routes: who may ask, whether the server can answer, and what every answer bears.

    Front(state, Endpoints(...))

An error that a route raises is answered in OpenAI's form. Starlette's `Router`, which `Endpoints`
is, hands on what its routes raise, where `Starlette` would answer for itself.
"""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException

from foretell.server.asgi import RECORD, Receive, Scope, Send
from foretell.server.body import ClientGoneError, too_large
from foretell.server.cors import Cors, Page, is_preflight, preflight_headers, refusal
from foretell.server.errors import api_error
from foretell.server.heads import check_framing, content_length_of, request_id_of
from foretell.server.hosts import HostCheck
from foretell.server.keys import KeyCheck
from foretell.server.log import log_failure, log_request
from foretell.server.record import RequestRecord
from foretell.server.reply import CLOSE, Reply
from foretell.server.routes import Endpoints
from foretell.server.state import ServerState
from foretell.telemetry import of_headers


class Front:
    """An application of ASGI around the routes.

    Args:
        state: the server's.
        app: the routes.
    """

    def __init__(self, state: ServerState, app: Endpoints) -> None:
        options = state.options
        self._state = state
        self._app = app
        self._hosts = HostCheck(options.allowed_hosts)
        self._cors = Cors(options.cors_origins)
        self._keys = KeyCheck(options.api_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the host's start and end."""
        if scope["type"] == "lifespan":
            await self._state.lifecycle.follow_host(self._state.llm, receive, send)
        elif scope["type"] == "http":
            self._state.lifecycle.begin(self._state.llm)
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = RequestRecord(request_id_of(scope), scope["method"], scope["path"])
        reply = Reply(receive, send, record)
        inner = _inner_scope(scope, record)
        try:
            await self._answer_somehow(inner, reply, record)
        except ClientGoneError:
            record.has_left = True
        finally:
            self._state.metrics.note(record)
            log_request(record, self._state.options)

    async def _answer_somehow(self, scope: Scope, reply: Reply, record: RequestRecord) -> None:
        """Answer, if with an error; ClientGoneError where nobody is there any more."""
        try:
            await self._answer(scope, reply)
        except ClientGoneError:
            raise
        except asyncio.CancelledError:
            if reply.has_begun or self._state.lifecycle.phase != "closed":
                raise
            await reply.send_error(self._state.lifecycle.refusal())
        except Exception as error:  # noqa: BLE001  whoever asked must hear of it
            await self._tell(error, reply, record)

    async def _answer(self, scope: Scope, reply: Reply) -> None:
        """Answer, or raise."""
        endpoint = self._app.at(scope["path"])
        is_open = endpoint is not None and endpoint.is_open
        scope[RECORD].is_probe = endpoint is not None and endpoint.is_probe
        page = self._cors.page_of(scope)
        reply.headers += page.headers
        self._check_sender(scope, page, is_open=is_open)
        if page.origin is not None and is_preflight(scope):
            await reply.send_empty(204, preflight_headers(scope))
            return
        if not is_open:
            self._keys.check(scope)
        self._check_length(scope)
        if endpoint is not None and not endpoint.needs_model:
            await self._app(scope, reply.receive, reply.send)
            return
        with self._state.lifecycle.running(), of_headers(scope["headers"]):
            if self._state.lifecycle.is_leaving:
                reply.headers.append(CLOSE)
            await self._app(scope, reply.receive, reply.send)

    def _check_sender(self, scope: Scope, page: Page, *, is_open: bool) -> None:
        check_framing(scope)
        self._hosts.check(scope)
        if not page.is_allowed and not (is_open and scope["method"] == "GET"):
            raise refusal(page)

    def _check_length(self, scope: Scope) -> None:
        length, most = content_length_of(scope), self._state.options.max_body_bytes
        if length is not None and length > most:
            raise too_large(most)

    async def _tell(self, error: Exception, reply: Reply, record: RequestRecord) -> None:
        """Answer with an error; where an answer has begun it can only be cut off."""
        told = api_error(error)
        if isinstance(error, HTTPException):
            told = self._app.refusal(error, record.path)
        record.note_error(told)
        if told.status == 500:
            log_failure(record, error, self._state.options)
        if reply.has_begun:
            raise error
        await reply.send_error(told)


def _inner_scope(scope: Scope, record: RequestRecord) -> Scope:
    """What the routes see: the path is theirs alone, and nobody else answers their errors."""
    path, root = scope["path"], scope.get("root_path", "")
    if root and path.startswith(f"{root}/"):
        path = path[len(root) :]
    hidden: Scope = {"root_path": "", "app": None, "starlette.exception_handlers": ({}, {})}
    return {**scope, **hidden, "path": path, RECORD: record}
