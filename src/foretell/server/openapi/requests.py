"""Bodies of requests as JSON schemas: a route's own fields, settings, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.server import limits
from foretell.server.fields import FORM_FIELDS, HARMLESS, OWN, RENAMED, SENDABLE, SETTINGLESS
from foretell.server.input_items import TEXT_PARTS
from foretell.server.limits import (
    MAX_MESSAGES,
    MAX_METADATA,
    MAX_METADATA_NAME,
    MAX_METADATA_TEXT,
    MAX_PROMPTS,
    MAX_SEEDS,
    MAX_STRATEGIES,
    Span,
)
from foretell.server.messages import ROLES
from foretell.server.openapi.results import TOOL_CALL
from foretell.server.openapi.settings import TOKEN_ID, Schema, nullable, setting_schema
from foretell.text.tools.definitions import MAX_TOOLS
from foretell.text.tools.syntaxes import SYNTAXES

TAKES_NO_SETTINGS = (*SETTINGLESS, "score", "alternatives")

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "chat": ("messages",),
    "completions": ("prompt",),
    "responses": ("input",),
    "detokenize": ("tokens",),
}
"""What a body cannot do without."""

SETTINGS_REF: Schema = {"$ref": "#/components/schemas/Settings"}

_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_TEXT: Schema = {"type": "string"}
_IDS: Schema = {"type": "array", "items": TOKEN_ID, "minItems": 1}


def _span(span: Span) -> Schema:
    return {"type": "integer", "minimum": span.low, "maximum": span.high}


def _parts(*kinds: str) -> Schema:
    part = {
        "type": "object",
        "properties": {"type": {"enum": list(kinds)}, "text": _TEXT},
        "required": ["type", "text"],
    }
    return {"anyOf": [_TEXT, {"type": "array", "items": part, "minItems": 1}]}


_FUNCTION: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "description": _TEXT,
        "parameters": _OBJECT,
    },
    "required": ["name"],
}
_TOOL: Schema = {
    "anyOf": [
        {
            "type": "object",
            "properties": {"type": {"const": "function"}, "function": _FUNCTION},
            "required": ["type", "function"],
        },
        {**_FUNCTION, "required": ["type", "name"]},
    ]
}
_MESSAGES: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_MESSAGES,
    "items": {
        "type": "object",
        "properties": {
            "role": {"enum": list(ROLES)},
            "content": nullable(_parts("text")),
            "name": nullable(_TEXT),
            "tool_calls": nullable({"type": "array", "items": TOOL_CALL}),
            "tool_call_id": nullable(_TEXT),
            "reasoning_content": nullable(_TEXT),
        },
        "required": ["role"],
    },
}
_ITEMS: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_MESSAGES,
    "items": {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "type": {"const": "message"},
                    "role": {"enum": list(ROLES)},
                    "content": _parts(*TEXT_PARTS),
                },
                "required": ["role", "content"],
            },
            {
                "type": "object",
                "properties": {
                    "type": {"const": "function_call"},
                    "call_id": _TEXT,
                    "name": _TEXT,
                    "arguments": _TEXT,
                },
                "required": ["type", "call_id", "name", "arguments"],
            },
            {
                "type": "object",
                "properties": {
                    "type": {"const": "function_call_output"},
                    "call_id": _TEXT,
                    "output": _parts(*TEXT_PARTS),
                },
                "required": ["type", "call_id", "output"],
            },
        ]
    },
}
_PROMPT: Schema = {"anyOf": [_TEXT, _IDS]}
_PROMPTS: Schema = {
    "anyOf": [
        *_PROMPT["anyOf"],
        {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_PROMPTS},
        {"type": "array", "items": _IDS, "minItems": 1, "maxItems": MAX_PROMPTS},
    ]
}
_SEEDS: Schema = {
    "anyOf": [
        _span(Span(1, MAX_SEEDS)),
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
            "minItems": 1,
            "maxItems": MAX_SEEDS,
            "uniqueItems": True,
        },
    ]
}

SHAPES: Mapping[str, Schema] = {
    "messages": _MESSAGES,
    "prompt": _PROMPT,
    "input": {"anyOf": [_TEXT, _ITEMS]},
    "instructions": _TEXT,
    "model": {"$ref": "#/components/schemas/ModelName"},
    "stream": _FLAG,
    "stream_options": {
        "type": "object",
        "properties": {"include_usage": _FLAG, "continuous_usage_stats": _FLAG},
    },
    "priority": _span(limits.PRIORITY),
    "return_token_ids": _FLAG,
    "return_receipt": _FLAG,
    "logprobs": _span(limits.TOP),
    "top_logprobs": _span(limits.TOP),
    "continue_final_message": _FLAG,
    "add_generation_prompt": _FLAG,
    "chat_template_kwargs": _OBJECT,
    "tools": {"type": "array", "items": _TOOL, "maxItems": MAX_TOOLS},
    "tool_choice": {"anyOf": [_TEXT, _OBJECT]},
    "parallel_tool_calls": _FLAG,
    "tool_syntax": {"enum": list(SYNTAXES)},
    "include_reasoning": _FLAG,
    "include": {"type": "array", "items": _TEXT},
    "text": {"type": "object", "properties": {"format": {"type": "object"}}},
    "reasoning": {"type": "object", "properties": {"effort": {"enum": ["none", None]}}},
    "metadata": {
        "type": "object",
        "maxProperties": MAX_METADATA,
        "propertyNames": {"maxLength": MAX_METADATA_NAME},
        "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_TEXT},
    },
    "echo": _FLAG,
    "suffix": {"type": "string"},
    "add_special_tokens": _FLAG,
    "parse_special": _FLAG,
    "return_token_strs": _FLAG,
    "tokens": {"type": "array", "items": TOKEN_ID},
    "skip_special_tokens": _FLAG,
    "repeat_tokens": _FLAG,
    "seeds": _SEEDS,
    "strategies": {
        "type": "object",
        "propertyNames": {
            "minLength": limits.STRATEGY_NAME.low,
            "maxLength": limits.STRATEGY_NAME.high,
        },
        "additionalProperties": SETTINGS_REF,
        "minProperties": 1,
        "maxProperties": MAX_STRATEGIES,
    },
    "position": _span(limits.POSITION),
    "max_new_tokens": _span(limits.ALTERNATIVES_TOKENS),
}
"""The values of fields that are no settings, by their names."""

SHAPES_OF: Mapping[tuple[str, str], Schema] = {
    ("chat", "logprobs"): _FLAG,
    ("completions", "prompt"): _PROMPTS,
    ("tokenize", "prompt"): _TEXT,
    ("next", "top"): _span(limits.NEXT_TOP),
    ("score", "top"): _span(limits.TOP),
    ("alternatives", "top"): _span(limits.ALTERNATIVES_TOP),
}
"""The values of those that are another thing in this route."""


def body_schema(route: str) -> Schema:
    """The schema of a route's body."""
    fields = {name: _own(route, name, about) for name, about in OWN[route].items()}
    for name, about in HARMLESS.items():
        fields.setdefault(name, {"description": f"accepted, without effect: {about}"})
    found: Schema = {"type": "object", "properties": fields}
    if route in REQUIRED:
        found["required"] = list(REQUIRED[route])
    return found if route in TAKES_NO_SETTINGS else {"allOf": [SETTINGS_REF, found]}


def settings_schema() -> Schema:
    """All settings that can be sent, those that have two names by both."""
    fields = {name: setting_schema(name) for name in SENDABLE}
    for name, setting in RENAMED.items():
        fields[name] = {**fields[setting], "description": f"{setting}, by another name"}
    for name, about in FORM_FIELDS.items():
        fields[name] = {**nullable(_OBJECT), "description": about}
    return {"type": "object", "properties": fields}


def _own(route: str, name: str, about: str) -> Schema:
    shape = _shape(route, name)
    may_lack = name not in REQUIRED.get(route, ())
    return {**(nullable(shape) if may_lack else shape), "description": about}


def _shape(route: str, name: str) -> Schema:
    found: Any = SHAPES_OF.get((route, name)) or SHAPES[name]
    return dict(found)
