"""The whole document: what may be asked at which path, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretell import __version__
from foretell.server.openapi.answers import answer_schemas
from foretell.server.openapi.requests import body_schema, settings_schema
from foretell.server.openapi.settings import Schema
from foretell.server.state import ServerState

JSON, EVENTS, PLAIN = "application/json", "text/event-stream", "text/plain"


@dataclass(frozen=True)
class Operation:
    """What one path answers.

    Attributes:
        summary: what it is for.
        answer: the name of the answer's schema; "": the answer is plain text.
        route: of the table of fields, if there is a body.
        streams: whether the answer may come as events.
        example: a body that does something.
        is_open: whether it is answered without a key.
    """

    summary: str
    answer: str
    route: str = ""
    streams: bool = False
    example: Any = None
    is_open: bool = False


_TEXT = {"prompt": "The cat sat on the"}
_CHAT = {"messages": [{"role": "user", "content": "Hello"}]}

OPERATIONS: dict[str, Operation] = {
    "/v1/chat/completions": Operation(
        "Answer a conversation", "ChatCompletion", "chat", streams=True, example=_CHAT
    ),
    "/v1/completions": Operation(
        "Continue texts", "Completion", "completions", streams=True, example=_TEXT
    ),
    "/v1/responses": Operation(
        "Answer a conversation, in OpenAI's newest form; nothing of it is kept",
        "Response",
        "responses",
        streams=True,
        example={"input": "Hello"},
    ),
    "/v1/foretell/next": Operation(
        "How probable each next token is", "next", "next", example=_TEXT
    ),
    "/v1/foretell/score": Operation(
        "The log-probability of each token of a text", "score", "score", example=_TEXT
    ),
    "/v1/foretell/explain": Operation(
        "Continue a prompt, and tell of each token why it was chosen",
        "explain",
        "explain",
        streams=True,
        example={**_TEXT, "temperature": 0.8},
    ),
    "/v1/foretell/beams": Operation(
        "Continue a prompt by beam search, and tell all that it considered",
        "beams",
        "beams",
        streams=True,
        example={**_TEXT, "num_beams": 3},
    ),
    "/v1/foretell/compare": Operation(
        "Continue a prompt by several settings, side by side",
        "compare",
        "compare",
        streams=True,
        example={**_TEXT, "strategies": {"greedy": {}, "warm": {"temperature": 1.2}}},
    ),
    "/v1/foretell/alternatives": Operation(
        "What else could stand at a position, and where it leads",
        "alternatives",
        "alternatives",
        example=_TEXT,
    ),
    "/v1/foretell/settings": Operation(
        "What settings come to, before anything is written with them",
        "settings",
        "settings",
        example={"preset": "chat", "temperature": 0.5},
    ),
    "/v1/foretell/guide": Operation("Every setting, preset and dialect, explained", "guide"),
    "/tokenize": Operation("A text as token ids", "Tokens", "tokenize", example=_TEXT),
    "/detokenize": Operation("Token ids as a text", "Text", "detokenize", example={"tokens": [1]}),
    "/v1/models": Operation("The names of the model that is served", "ModelList"),
    "/v1/models/{name}": Operation("The model of this name", "Model"),
    "/tokenizer_info": Operation("What a client must know of the tokenizer", "TokenizerInfo"),
    "/version": Operation("Which foretell this is", "Version"),
    "/health": Operation("Whether requests are answered", "Status", is_open=True),
    "/ready": Operation("Whether more requests should come", "Status", is_open=True),
    "/metrics": Operation("What was counted, for Prometheus", ""),
    "/openapi.json": Operation("This document", "Document"),
}
"""By their paths; those that have a body are asked by POST, the others by GET."""

DESCRIPTION = """\
OpenAI's interface to one model that runs on a CPU, and beyond it what foretell finds out of a \
prompt. A field that would change the text and is not supported is refused by name; one that is \
unknown is named in the answer's header `x-foretell-ignored`. Null is as if a field were absent."""


def describe(state: ServerState) -> dict[str, Any]:
    """The document of a server."""
    last = state.llm.info.vocab_size - 1
    schemas: dict[str, Schema] = {
        "ModelName": {"enum": list(state.model_names)},
        "TokenId": {"type": "integer", "minimum": 0, "maximum": last},
        "Settings": settings_schema(),
        **answer_schemas(),
    }
    components: dict[str, Any] = {"schemas": schemas}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "foretell", "version": __version__, "description": DESCRIPTION},
        "paths": {path: _path(path, one) for path, one in OPERATIONS.items()},
        "components": components,
    }
    if state.options.api_keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def _path(path: str, operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": path.strip("/").replace("/", "_").replace(".", "_").replace("{name}", "one"),
        "summary": operation.summary,
        "responses": {"200": _answer(operation), "default": _ERROR},
    }
    if operation.is_open:
        told["security"] = []
        told["responses"]["503"] = _answer(operation)
    if "{name}" in path:
        name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
        told["parameters"] = [name]
    if not operation.route:
        return {"get": told}
    content = {"schema": body_schema(operation.route), "example": operation.example}
    told["requestBody"] = {"required": True, "content": {JSON: content}}
    return {"post": told}


def _answer(operation: Operation) -> dict[str, Any]:
    if not operation.answer:
        return {"description": operation.summary, "content": {PLAIN: {"schema": _STRING}}}
    schema = {"$ref": f"#/components/schemas/{operation.answer}"}
    content: dict[str, Any] = {JSON: {"schema": schema}}
    if operation.streams:
        content[EVENTS] = {"example": "data: {…}\n\ndata: [DONE]\n\n"}
    return {"description": operation.summary, "content": content}


_STRING: Schema = {"type": "string"}
_ERROR = {
    "description": "An error, which says what is wrong and what would be right",
    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
}
