"""A setting as a JSON schema: its type, its bounds, what it does, and what holds where it is unset.

Everything is looked up in the table of settings.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.choices import LAYER_GROUPS, LOGPROB_STAGES, SCOPE_NAMES
from foretell.config.dialects import DIALECTS
from foretell.config.ranges import FINITE, Range
from foretell.config.settings import SETTINGS, STAGES, Setting
from foretell.config.validators import (
    BAN,
    DECAY_FACTOR,
    DECAY_START,
    LAYER,
    MAX_WORDS,
    MIN_COUNT,
    PATTERN_SIZE,
    SEEDING_SCHEMES,
    WATERMARK_NUMBERS,
    RepetitionDetection,
)
from foretell.config.values import STAGE_NAMES, Notation, Values
from foretell.server.fields import MOST, SENDABLE
from foretell.server.limits import MAX_BIASES, MAX_STOPS, MAX_TEXT_CHARACTERS, MAX_TEXTS

Schema = dict[str, Any]

TOKEN_ID: Schema = {"$ref": "#/components/schemas/TokenId"}


def setting_schema(name: str) -> Schema:
    """The schema of the values that a request may send for a setting; null is as if unset."""
    row = SETTINGS[name]
    shape = _number(row.values) if isinstance(row.values, Range) else _other(name, row.values)
    if name in MOST:
        shape["maximum"] = MOST[name]
    if name == "top_k":
        shape["minimum"] = -1
    found = {**nullable(shape), "description": _description(row)}
    default = _DEFAULTS[name]
    return found if default in (None, ()) else {**found, "default": _as_json(default)}


def nullable(schema: Schema) -> Schema:
    """A schema that null suits too."""
    kind = schema.get("type")
    if kind is None or "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [*([kind] if isinstance(kind, str) else kind), "null"]}


def _number(values: Range) -> Schema:
    found: Schema = {"type": "integer" if values.kind is int else "number"}
    if values.low > -FINITE:
        found["exclusiveMinimum" if values.open_low else "minimum"] = values.low
    if not math.isinf(values.high):
        found["maximum"] = values.high
    return found


def _description(row: Setting) -> str:
    told = [row.meaning or "what it is, the guide says"]
    values = row.values
    if isinstance(values, Range) and values.useful is not None:
        low, high = values.useful
        told.append(f"useful: {low:g} to {high:g}")
    return "; ".join(told)


def _other(name: str, values: Values) -> Schema:
    if values == STAGE_NAMES:
        return _one_or_several({"type": "string", "enum": list(LOGPROB_STAGES)}, minItems=1)
    if values.notation is Notation.NAMES:
        stages = sorted(STAGES & set(SENDABLE))
        return {"type": "array", "items": {"type": "string", "enum": stages}}
    if values.notation is Notation.TEXTS:
        most = MAX_STOPS if name.startswith("stop") else MAX_TEXTS
        text = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARACTERS}
        return _one_or_several(text, maxItems=most)
    if values.notation is Notation.CHOICE:
        return {"type": "string", "enum": list(values.choices)}
    return _SHAPES[values.notation]()


def _one_or_several(one: Schema, **bounds: Any) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one, **bounds}]}


def _ids(least: int = 0) -> Schema:
    return {"type": "array", "items": TOKEN_ID, "minItems": least}


def _bias() -> Schema:
    return {"anyOf": [{"type": "number"}, {"const": BAN}]}


def _biases() -> Schema:
    names = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": _bias(),
        "maxProperties": MAX_BIASES,
    }


def _words() -> Schema:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARACTERS}
    one = {"anyOf": [text, _ids(1)]}
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_WORDS}
    words = {"type": "array", "items": {"anyOf": [*one["anyOf"], several]}, "maxItems": MAX_WORDS}
    return {"anyOf": [text, {**words, "minItems": 1}]}


def _pair(*parts: Schema) -> Schema:
    return {"type": "array", "prefixItems": list(parts), "minItems": 2, "maxItems": 2}


def _scope() -> Schema:
    return {"anyOf": [{"enum": list(SCOPE_NAMES)}, {"type": "integer", "minimum": 1}]}


def _detection() -> Schema:
    spans = {"max_pattern_size": PATTERN_SIZE, "min_pattern_size": PATTERN_SIZE}
    fields = {name: _number(span) for name, span in {**spans, "min_count": MIN_COUNT}.items()}
    shape = {"type": "object", "properties": fields, "additionalProperties": False}
    return {"anyOf": [{"type": "boolean"}, shape]}


def _watermark() -> Schema:
    fields = {name: _number(span) for name, span in WATERMARK_NUMBERS.items()}
    fields["seeding_scheme"] = {"enum": list(SEEDING_SCHEMES)}
    shape = {"type": "object", "properties": fields, "additionalProperties": False}
    return {"anyOf": [{"type": "boolean"}, shape]}


def _layers() -> Schema:
    numbers = {"type": "array", "items": _number(LAYER), "minItems": 1}
    return {"anyOf": [{"enum": list(LAYER_GROUPS)}, numbers]}


_SHAPES: Mapping[Notation, Callable[[], Schema]] = {
    Notation.FLAG: lambda: {"type": "boolean"},
    Notation.TEXT: lambda: {"anyOf": [{"type": "string", "minLength": 1}, _ids(1)]},
    Notation.DIALECT: lambda: {"type": "string", "enum": list(DIALECTS)},
    Notation.TOKEN_ID: lambda: dict(TOKEN_ID),
    Notation.TOKEN_IDS: lambda: {"anyOf": [TOKEN_ID, _ids()]},
    Notation.ID_SEQUENCES: lambda: {"type": "array", "items": _ids(1), "minItems": 1},
    Notation.TOKEN_BIASES: _biases,
    Notation.SEQUENCE_BIASES: lambda: {
        "type": "array",
        "items": _pair(_ids(1), _bias()),
        "maxItems": MAX_BIASES,
    },
    Notation.WORDS: _words,
    Notation.SCOPE: _scope,
    Notation.DECAY: lambda: _pair(_number(DECAY_START), _number(DECAY_FACTOR)),
    Notation.EARLY_STOPPING: lambda: {"enum": [True, False, "never"]},
    Notation.DETECTION: _detection,
    Notation.LAYERS: _layers,
    Notation.WATERMARK: _watermark,
    Notation.PATTERN: lambda: {"type": "string", "minLength": 1},
    Notation.GRAMMAR: lambda: {"type": "string", "minLength": 1},
    Notation.SCHEMA: lambda: {"type": ["object", "string"]},
}

_DEFAULTS = {one.name: one.default for one in dataclasses.fields(GenerationConfig) if one.init}


def _as_json(value: Any) -> Any:
    if isinstance(value, RepetitionDetection):
        return dataclasses.asdict(value)
    return list(value) if isinstance(value, tuple) else value
