"""`/v1/foretell/guide`: every setting, preset and dialect as JSON, from the one table.

A form can be made of it: what each setting means, which values it takes, what it does not go with.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from foretell.analysis.probabilities import NOT_FOR_NEXT
from foretell.config import GenerationConfig
from foretell.config.dialects import DIALECTS
from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.config.ranges import Range
from foretell.config.settings import GROUPS, SETTINGS
from foretell.errors import ForetellError
from foretell.guide.topics import PresetTopic, dialect_topic, preset_topic, setting_topic
from foretell.inputs.recommended import Recommended
from foretell.server.asgi import Receive, Scope, Send
from foretell.server.fields import SENDABLE
from foretell.server.frames import dumps
from foretell.server.heads import JSON, send_whole, value_of
from foretell.server.openapi.settings import TOKEN_ID, Schema, setting_schema
from foretell.server.playground import accepts_gzip, has_tag
from foretell.server.sorting import reason_of
from foretell.server.state import ServerState
from foretell.server.views.explain import NOT_FOR_EXPLAIN


class GuidePage:
    """Answers with the guide; it is the same as long as the server runs.

    Args:
        state: the server's.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; nothing is sent to a client that has the guide already."""
        plain, packed, tag = self._written
        headers = {"etag": tag, "vary": "Accept-Encoding", "cache-control": "no-cache"}
        if has_tag(value_of(scope, b"if-none-match"), tag):
            await send_whole(send, 304, JSON, b"", headers)
        elif accepts_gzip(value_of(scope, b"accept-encoding")):
            await send_whole(send, 200, JSON, packed, {**headers, "content-encoding": "gzip"})
        else:
            await send_whole(send, 200, JSON, plain, headers)

    @cached_property
    def _written(self) -> tuple[bytes, bytes, str]:
        """The guide, the same compressed, and a tag of it."""
        plain = dumps(guide(self._state))
        tag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
        return plain, gzip.compress(plain, mtime=0), tag


def guide(state: ServerState) -> dict[str, Any]:
    """All that there is to say of the settings, for the model and the options of a server."""
    last = state.llm.info.vocab_size - 1
    token_id = {"type": "integer", "minimum": 0, "maximum": last}
    return {
        "object": "foretell.guide",
        "groups": [{"name": name, "settings": names} for name, names in GROUPS.items()],
        "settings": [_setting(name, token_id) for name in SETTINGS],
        "presets": [dataclasses.asdict(one) for one in _presets(state)],
        "dialects": [dataclasses.asdict(dialect_topic(one)) for one in DIALECTS.values()],
        "in_force": GenerationConfig(**(state.options.defaults or {})).as_dict(),
    }


def _setting(name: str, token_id: Schema) -> dict[str, Any]:
    """The guide's page of a setting, and what becomes of it in a request."""
    row = SETTINGS[name]
    is_sendable = name in SENDABLE
    schema = _with_token_id(setting_schema(name), token_id) if is_sendable else None
    return {
        **dataclasses.asdict(setting_topic(name)),
        "kind": row.kind.name.lower(),
        "is_stage": row.kind.is_stage,
        "notation": _notation(row.values),
        "choices": [] if isinstance(row.values, Range) else row.values.choices,
        "usual": row.usual,
        "needs": row.needs,
        "aliases": row.aliases,
        "default": schema.get("default") if schema else None,
        "schema": schema,
        "refused": None if is_sendable else reason_of(name),
        "not_for": [view for view, names in NOT_FOR.items() if name in names],
    }


NOT_FOR = {"next": NOT_FOR_NEXT, "explain": NOT_FOR_EXPLAIN}
"""Settings that mean nothing to a view, or that it refuses."""


def _notation(values: Any) -> str:
    """How a value is written: a number, or one of the notations of other values."""
    if isinstance(values, Range):
        return "integer" if values.kind is int else "number"
    return str(values.notation.name.lower())


def _with_token_id(schema: Any, token_id: Schema) -> Any:
    """A schema that stands by itself: with what it refers to in its place."""
    if schema == TOKEN_ID:
        return token_id
    if isinstance(schema, dict):
        return {name: _with_token_id(value, token_id) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_with_token_id(one, token_id) for one in schema]
    return schema


def _presets(state: ServerState) -> Iterator[PresetTopic]:
    """The presets, and the model's own if its files recommend something."""
    yield from map(preset_topic, PRESETS)
    recommended = state.llm.recommended
    if isinstance(recommended, Recommended) and recommended:
        try:
            settings = recommended.config().as_dict()
        except ForetellError:  # whoever asks for that preset is told why
            return
        task, why = "what the model's authors recommend", "its files say so"
        yield PresetTopic(MODEL_PRESET, task, why, settings, None)
