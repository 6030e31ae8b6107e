"""The routes of a server, as an application for any ASGI host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from foretell import __version__
from foretell.async_llm import AsyncLLM
from foretell.errors import ConfigError, ForetellError
from foretell.server.asgi import App, Receive, Scope, Send
from foretell.server.asking import Asked, notices, sorted_fields
from foretell.server.body import read_json
from foretell.server.chat import ask_chat
from foretell.server.completions import ask_completion
from foretell.server.errors import api_error
from foretell.server.exchange import AnswerWriter, Exchange
from foretell.server.front import Front
from foretell.server.guide import GuidePage
from foretell.server.health import Health, Readiness
from foretell.server.lifecycle import Lifecycle
from foretell.server.models import describe_model, list_models
from foretell.server.openapi import describe
from foretell.server.options import ServerOptions
from foretell.server.playground import Playground
from foretell.server.responses import ask_response
from foretell.server.routes import Endpoint, Endpoints, Probe
from foretell.server.scraping import MetricsPage
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.tokens import detokenize, tokenize, tokenizer_info
from foretell.server.values import flag
from foretell.server.views.alternatives import alternatives
from foretell.server.views.beams import beams, watch_beams
from foretell.server.views.compare import compare, watch_compare
from foretell.server.views.explain import ask_explanation
from foretell.server.views.probabilities import next_tokens, score
from foretell.server.views.settings import check_settings
from foretell.utils.quoting import quote
from foretell.utils.warn import hearing
from foretell.worker.tally import counting

DEFAULTS = ServerOptions()

T = TypeVar("T")

Body = Mapping[str, Any]
Ask = Callable[[Body, ServerState], tuple[Asked, AnswerWriter]]
"""From a body to a request, and to who writes its answer."""

Work = Callable[[Fields, ServerState], Coroutine[Any, Any, Any]]
"""From a body's fields to the data of an answer."""

Watch = Callable[[Fields, ServerState], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""The same to its events; the block is entered once nothing can be refused any more."""


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
        """Answer a request."""
        state = self._state
        asked, writer = await _checked(receive, state, lambda body: self._ask(body, state))
        await Exchange(scope, receive, send, self._state).answer(asked, writer)


class Computing:
    """A route whose answers are data that some work gives, until the client leaves.

    Args:
        state: the server's.
        route: its name in the table of fields.
        work: does it.
        watch: does it as a stream of events; None: there is none.
    """

    def __init__(
        self, state: ServerState, route: str, work: Work, watch: Watch | None = None
    ) -> None:
        self._state = state
        self._route = route
        self._work = work
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        state = self._state
        fields = await _checked(
            receive, state, lambda body: sorted_fields(body, self._route, state)
        )
        exchange = Exchange(scope, receive, send, self._state)
        exchange.note_view()
        try:
            with hearing(fields.warnings.append), counting(exchange.note_tally):
                if self._watch is not None and flag(fields.own, "stream"):
                    await exchange.stream_events(self._watch(fields, self._state), fields)
                    return
                data = await exchange.unless_gone(self._work(fields, self._state))
        except ForetellError as error:
            raise api_error(error, fields.spelled) from error
        await exchange.send_json(data, notices(fields))


class Telling:
    """A route that tells what is known at once; `tell` is given the path's parameters.

    Args:
        state: the server's.
        tell: gives the data.
    """

    def __init__(self, state: ServerState, tell: Callable[..., Any]) -> None:
        self._state = state
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        data = self._tell(state=self._state, **scope["path_params"])
        await Exchange(scope, receive, send, self._state).send_json(data)


async def _checked(receive: Receive, state: ServerState, check: Callable[[Body], T]) -> T:
    options = state.options
    most, timeout = options.max_body_bytes, options.body_timeout
    return await read_json(receive, state.room, most, timeout, check)


def version(state: ServerState) -> dict[str, Any]:
    """Which foretell this is."""
    return {"version": __version__, "engine": "foretell", "model": state.model_names[0]}


def create_app(llm: AsyncLLM, options: ServerOptions = DEFAULTS) -> Front:
    """An application of ASGI that serves a model by OpenAI's interface.

        app = create_app(AsyncLLM("smollm2-135m-instruct"))

    An `AsyncLLM` that is not open yet is opened when the application starts, and closed at its end.

    Args:
        llm: answers the requests.
        options: how it is served.

    Raises:
        ConfigError: `llm` is no AsyncLLM.
    """
    if not isinstance(llm, AsyncLLM):
        raise ConfigError(f"llm={quote(llm)} must be an AsyncLLM")
    return application(ServerState(llm, options, Lifecycle()))


def application(state: ServerState) -> Front:
    """The routes, and what is before them."""
    return Front(state, Endpoints(endpoints(state)))


def endpoints(state: ServerState) -> Iterator[Endpoint]:
    """All that is answered, with what answers it."""
    posted: dict[str, App] = {
        "/v1/chat/completions": Generating(state, ask_chat),
        "/v1/completions": Generating(state, ask_completion),
        "/v1/responses": Generating(state, ask_response),
        "/v1/foretell/explain": Generating(state, ask_explanation),
        "/v1/foretell/next": Computing(state, "next", next_tokens),
        "/v1/foretell/score": Computing(state, "score", score),
        "/v1/foretell/beams": Computing(state, "beams", beams, watch_beams),
        "/v1/foretell/compare": Computing(state, "compare", compare, watch_compare),
        "/v1/foretell/alternatives": Computing(state, "alternatives", alternatives),
        "/v1/foretell/settings": Computing(state, "settings", check_settings),
        "/tokenize": Computing(state, "tokenize", tokenize),
        "/detokenize": Computing(state, "detokenize", detokenize),
    }
    told: dict[str, Callable[..., Any]] = {
        "/v1/models": list_models,
        "/v1/models/{name:path}": describe_model,
        "/tokenizer_info": tokenizer_info,
        "/version": version,
        "/openapi.json": describe,
    }
    for path, app in posted.items():
        yield Endpoint("POST", path, app)
    for path, tell in told.items():
        yield Endpoint("GET", path, Telling(state, tell))
    yield Endpoint("GET", "/v1/foretell/guide", GuidePage(state))
    yield Probe("/health", Health(state), is_open=True)
    yield Probe("/ready", Readiness(state), is_open=True)
    yield Probe("/metrics", MetricsPage(state))
    if state.options.playground:
        for path in ("/", "/playground/{name:path}"):
            yield Endpoint("GET", path, Playground(), is_open=True, needs_model=False)
