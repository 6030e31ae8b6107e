"""The routes of a server, as an application for any ASGI host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from foretell import __version__
from foretell.async_llm import AsyncLLM
from foretell.server.asking import Asked
from foretell.server.body import Receive, read_json
from foretell.server.chat import ask_chat
from foretell.server.completions import ask_completion
from foretell.server.exchange import AnswerWriter, Exchange, Scope, Send
from foretell.server.lifecycle import Lifecycle
from foretell.server.options import ServerOptions
from foretell.server.state import ServerState

DEFAULTS = ServerOptions()

Ask = Callable[[Mapping[str, Any], ServerState], tuple[Asked, AnswerWriter]]
"""From a body to a request, and to who writes its answer."""


class Generating:
    """A route whose answers are texts.

    Args:
        state: the server's.
        ask: reads a body.
    """

    def __init__(self, state: ServerState, ask: Ask) -> None:
        self._state = state
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        options = self._state.options
        body = await read_json(receive, options.max_body_bytes, options.body_timeout)
        asked, writer = self._ask(body, self._state)
        await Exchange(scope, receive, send, self._state).answer(asked, writer)


def create_app(llm: AsyncLLM, options: ServerOptions = DEFAULTS) -> Any:
    """An application of ASGI that serves a model by OpenAI's interface.

        app = create_app(AsyncLLM("smollm2-135m-instruct"))

    An `AsyncLLM` that is not open yet is opened when the application starts, and closed at its end.

    Args:
        llm: answers the requests.
        options: how it is served.
    """
    state = ServerState(llm, options, Lifecycle())
    routes = [
        Route("/v1/chat/completions", Generating(state, ask_chat), methods=["POST"]),
        Route("/v1/completions", Generating(state, ask_completion), methods=["POST"]),
    ]
    return Starlette(routes=routes)
