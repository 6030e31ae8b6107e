"""Answers as JSON schemas: those of OpenAI's form, and views."""

from __future__ import annotations

from typing import Any

from foretell.analysis.alternatives import Alternatives
from foretell.analysis.beam_tree import BeamTree
from foretell.analysis.compare import Comparison
from foretell.outputs import GenerationOutput, NextDistribution, Score, StepTrace
from foretell.server.openapi.results import ResultSchemas
from foretell.server.openapi.settings import Schema, nullable

VIEWS: dict[str, type] = {
    "next": NextDistribution,
    "score": Score,
    "beams": BeamTree,
    "compare": Comparison,
    "alternatives": Alternatives,
}
"""What each view is of, but for `explain`, which is of two things."""

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_IDS: Schema = {"type": "array", "items": _COUNT}
_WARNINGS: Schema = {"type": "array", "items": _TEXT}


def _object(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _with(schema: Schema, **fields: Schema) -> Schema:
    """An object with further fields, which may be missing."""
    return {**schema, "properties": {**schema["properties"], **fields}}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TOKEN = {"token": _TEXT, "logprob": _NUMBER, "bytes": _IDS}
_TOKEN_WITH_TOP = _object(**_TOKEN, top_logprobs=_list(_object(**_TOKEN)))
_RECEIPT = {"receipt": nullable({"type": "object"})}
_STOP = {"finish_reason": {"enum": ["stop", "length", "abort", "error"]}}
_MADE = {
    "created": _COUNT,
    "model": _TEXT,
    "system_fingerprint": _TEXT,
    "usage": _ref("TokenUsage"),
}
_OFFSETS = {
    "tokens": _list(_TEXT),
    "token_logprobs": _list(nullable(_NUMBER)),
    "top_logprobs": _list(nullable({"type": "object", "additionalProperties": _NUMBER})),
    "text_offset": _IDS,
}
_RESPONSE_STATUS = {"enum": ["in_progress", "completed", "incomplete", "failed"]}
_RESPONSE_USAGE = _object(
    input_tokens=_COUNT,
    input_tokens_details=_object(cached_tokens=_COUNT, cache_write_tokens=_COUNT),
    output_tokens=_COUNT,
    output_tokens_details=_object(reasoning_tokens=_COUNT),
    total_tokens=_COUNT,
)
_RESPONSE_TEXT = _object(
    type={"const": "output_text"},
    text=_TEXT,
    annotations=_list({}),
    logprobs=_list(_TOKEN_WITH_TOP),
)
_RESPONSE_MESSAGE = _object(
    id=_TEXT,
    type={"const": "message"},
    role={"const": "assistant"},
    status=_RESPONSE_STATUS,
    content=_list(_RESPONSE_TEXT),
)
_RESPONSE_REASONING = _object(
    id=_TEXT,
    type={"const": "reasoning"},
    status=_RESPONSE_STATUS,
    summary=_list({}),
    content=_list(_object(type={"const": "reasoning_text"}, text=_TEXT)),
)
_RESPONSE_CALL = _object(
    id=_TEXT,
    type={"const": "function_call"},
    status=_RESPONSE_STATUS,
    call_id=_TEXT,
    name=_TEXT,
    arguments=_TEXT,
)
_RESPONSE_ITEM: Schema = {"anyOf": [_RESPONSE_MESSAGE, _RESPONSE_REASONING, _RESPONSE_CALL]}
_CALL = _object(id=_TEXT, type={"const": "function"}, function=_object(name=_TEXT, arguments=_TEXT))
_CHAT_MESSAGE = _with(
    _object(role={"const": "assistant"}, content=nullable(_TEXT)),
    reasoning_content=_TEXT,
    tool_calls=_list(_CALL),
)
_MODEL = _object(
    id=_TEXT,
    object={"const": "model"},
    created=_COUNT,
    owned_by=_TEXT,
    max_model_len=_COUNT,
)

PLAIN: dict[str, Schema] = {
    "Error": _object(
        error=_object(message=_TEXT, type=_TEXT, param=nullable(_TEXT), code=nullable(_TEXT))
    ),
    "TokenUsage": _object(
        prompt_tokens=_COUNT,
        completion_tokens=_COUNT,
        total_tokens=_COUNT,
        prompt_tokens_details=_object(cached_tokens=_COUNT),
        completion_tokens_details=_object(
            accepted_prediction_tokens=_COUNT, rejected_prediction_tokens=_COUNT
        ),
    ),
    "ChatCompletion": _object(
        id=_TEXT,
        object={"const": "chat.completion"},
        **_MADE,
        choices=_list(
            _with(
                _object(
                    index=_COUNT,
                    message=_CHAT_MESSAGE,
                    logprobs=nullable(_object(content=_list(_TOKEN_WITH_TOP))),
                    finish_reason={"enum": [*_STOP["finish_reason"]["enum"], "tool_calls"]},
                ),
                **_RECEIPT,
            )
        ),
    ),
    "Completion": _object(
        id=_TEXT,
        object={"const": "text_completion"},
        **_MADE,
        choices=_list(
            _with(
                _object(index=_COUNT, text=_TEXT, logprobs=nullable(_object(**_OFFSETS)), **_STOP),
                **_RECEIPT,
            )
        ),
    ),
    "Response": _with(
        _object(
            id=_TEXT,
            object={"const": "response"},
            created_at=_COUNT,
            model=_TEXT,
            status=_RESPONSE_STATUS,
            incomplete_details=nullable(_object(reason={"const": "max_output_tokens"})),
            instructions=nullable(_TEXT),
            metadata={"type": "object", "additionalProperties": _TEXT},
            output=_list(_RESPONSE_ITEM),
            temperature=_NUMBER,
            top_p=_NUMBER,
            max_output_tokens=nullable(_COUNT),
            store={"const": False},
            usage=nullable(_RESPONSE_USAGE),
        ),
        **_RECEIPT,
    ),
    "Model": _MODEL,
    "ModelList": _object(object={"const": "list"}, data=_list(_ref("Model"))),
    "Tokens": _object(count=_COUNT, max_model_len=_COUNT, tokens=_IDS),
    "Text": _object(prompt=_TEXT),
    "TokenizerInfo": _object(
        tokenizer_class=_TEXT,
        vocab_size=_COUNT,
        model_max_length=_COUNT,
        eos_token=nullable(_TEXT),
        bos_token=nullable(_TEXT),
        chat_template=nullable(_TEXT),
    ),
    "settings": _object(
        object={"const": "foretell.settings"},
        config={"type": "object"},
        stated=_list(_TEXT),
        is_sampling=_FLAG,
        warnings=_WARNINGS,
    ),
    "guide": _object(
        object={"const": "foretell.guide"},
        groups=_list(_object(name=_TEXT, settings=_list(_TEXT))),
        settings=_list({"type": "object"}),
        presets=_list({"type": "object"}),
        dialects=_list({"type": "object"}),
        in_force={"type": "object"},
    ),
    "Version": _object(version=_TEXT, engine=_TEXT, model=_TEXT),
    "Status": _object(status=_TEXT),
    "Document": _object(openapi=_TEXT, info={"type": "object"}, paths={"type": "object"}),
}
"""The schemas of answers that are no views, and of their parts, by name."""


def answer_schemas() -> dict[str, Schema]:
    """All of them, the views' and their parts among them."""
    results = ResultSchemas()
    views = {name: _view(name, results) for name in (*VIEWS, "explain")}
    return {**PLAIN, **results.components, **views}


def _view(name: str, results: ResultSchemas) -> Schema:
    fields: dict[str, Any] = {"object": {"const": f"foretell.{name}"}}
    if name == "explain":
        fields |= results.fields(GenerationOutput)
        del fields["trace"]
        step = results.fields(StepTrace)
        fields["steps"] = _list(_object(**step, why=_TEXT))
    else:
        fields |= results.fields(VIEWS[name])
    if name == "score":
        fields["perplexity"] = nullable(_NUMBER)
    if name in ("next", "explain", "beams"):
        fields["warnings"] = _WARNINGS
    return _object(**fields)
