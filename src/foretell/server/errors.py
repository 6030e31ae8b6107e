"""Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`, with a status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from foretell.config.settings import SETTINGS
from foretell.errors import (
    BusyError,
    ClosedError,
    ContextLengthError,
    ForetellError,
    ModelNotFoundError,
    NumericalError,
    QueueFullError,
)
from foretell.utils.quoting import quote, quote_json

TOO_LONG = "the prompt is too long"
"""LangChain and LiteLLM know what does not fit the context by these words, and not by the code."""

RETRY_SECONDS = 5
"""After which it is worth asking again, where there is no model at the moment, or no place."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NEVER_AGAIN = {"x-should-retry": "false"}
"""Keeps OpenAI's clients from asking again for what would fail again."""

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}
"""Of an error, by its status; the others below 500 are "invalid_request_error"."""

_NAMED = re.compile(r"(?:prompts\[\d+\]: )?([a-z][a-z_0-9]*)")
_FIELDS = frozenset((*SETTINGS, "messages", "prompt", "chat_template_kwargs"))


class ApiError(Exception):
    """What a request is answered with in place of what it asks for.

    Args:
        status: of HTTP.
        message: what is wrong, and what would be right.
        param: the field of the request that it concerns.
        code: a word for programs.
        headers: to be sent with it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers

    @property
    def kind(self) -> str:
        """OpenAI's `type` of it."""
        fallback = "invalid_request_error" if self.status < 500 else "server_error"
        return TYPES.get(self.status, fallback)

    def body(self) -> bytes:
        """As JSON."""
        return quote_json(self.as_dict(), separators=(",", ":")).encode()

    def as_dict(self) -> dict[str, Any]:
        """As the body's data."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that is wrong in itself."""
    return ApiError(400, message, param=param, code=code)


def wrong(name: str, value: Any, wanted: str) -> ApiError:
    """A field that has not the value that is wanted; None: it is missing."""
    told = f"{name} is missing:" if value is None else f"{name}={quote(value)}"
    return invalid(f"{told} must be {wanted}", name)


def shutting_down() -> ApiError:
    """A server that takes nothing on any more."""
    headers = {"retry-after": str(RETRY_SECONDS), "connection": "close"}
    return ApiError(503, "the server is shutting down", headers=headers)


def api_error(error: BaseException, fields: Mapping[str, str] | None = None) -> ApiError:
    """What an exception is to the one who asked.

    `fields` has, for settings, the names of the request's fields that they came from. Whatever is
    not foretell's own is told nothing of: the log has it.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ClosedError):
        return shutting_down()
    if not isinstance(error, ForetellError):
        return ApiError(500, "the server has failed; its log says why", headers=NEVER_AGAIN)
    message = _in_own_words(str(error), fields or {})
    if isinstance(error, ContextLengthError):
        message = _of_context(error, message, fields or {})
    param, status = _param(message, fields or {}), error.http_status
    if isinstance(error, NumericalError) and param is not None:
        status = 400  # it is a setting that leaves no token possible, and no fault of the model
    headers = NEVER_AGAIN if status >= 500 else NO_HEADERS
    if isinstance(error, QueueFullError | BusyError):
        headers = {"retry-after": str(RETRY_SECONDS)}
    param = param if status == 400 else None
    return ApiError(status, message, param=param, code=_code(error), headers=headers)


def _of_context(error: ContextLengthError, message: str, fields: Mapping[str, str]) -> str:
    """What exceeds the context: the prompt, or the length that is asked for after it."""
    if error.setting is None:
        return f"{TOO_LONG}: {message}"
    name = fields.get(error.setting, error.setting)
    room = f"after the prompt there is room for {error.room} tokens"
    return f"{name}={error.value} is too large: {room}"


def _code(error: ForetellError) -> str | None:
    if isinstance(error, ContextLengthError):
        return "context_length_exceeded"
    if isinstance(error, QueueFullError):
        return "queue_full"
    if isinstance(error, ModelNotFoundError):
        return "model_not_found"
    return None


def _in_own_words(message: str, fields: Mapping[str, str]) -> str:
    """A message that begins with a setting, by the name that the request has for it."""
    found = _NAMED.match(message)
    if found is None or found[1] not in fields:
        return message
    return message[: found.start(1)] + fields[found[1]] + message[found.end(1) :]


def _param(message: str, fields: Mapping[str, str]) -> str | None:
    """The field that a message begins with."""
    found = _NAMED.match(message)
    known = found is not None and (found[1] in _FIELDS or found[1] in fields.values())
    return found[1] if found is not None and known else None
