"""Fields that hold a text to a form, by OpenAI's and vLLM's names, as settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from foretell.config.schemas import closed
from foretell.server.errors import ApiError, invalid
from foretell.utils.quoting import quote

Settings = dict[str, Any]

OPENAI_KINDS = "text, json_object or json_schema"
VLLM_FORMS: Mapping[str, str] = {
    "json": "json_schema",
    "regex": "regex",
    "choice": "choices",
    "grammar": "grammar",
    "structural_tag": "structural_tag",
}
VLLM_OPTIONS = ("disable_any_whitespace", "disable_fallback")


def form_settings(name: str, value: Any) -> Settings:
    """The settings that a field asks for; ApiError, naming the field, if it makes no sense."""
    return _READERS[name](name, value)


def response_format(name: str, value: Any) -> Settings:
    """OpenAI's `response_format`, also llama.cpp's, which has a schema in `json_object`.

    A schema that is not `strict` is held to as far as it can be, and its objects have no properties
    but those that are named, unless it says otherwise.
    """
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return {}
    if kind == "json_object":
        schema = value.get("schema")
        return {"json": True} if schema is None else _lenient(schema)
    if kind == "json_schema":
        return _of_schema(f"{name}.json_schema", value.get("json_schema"))
    if kind == "structural_tag":
        return {"structural_tag": value}
    raise _refused(name, f"type={quote(kind)} must be {OPENAI_KINDS}")


def text_format(name: str, value: Any) -> Settings:
    """`text.format` of `/v1/responses`, as `response_format` but for a schema beside its type."""
    if isinstance(value, dict) and value.get("type") == "json_schema":
        return _of_schema(name, value)
    return response_format(name, value)


def _of_schema(path: str, wrapped: Any) -> Settings:
    schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
    if not isinstance(schema, dict):
        raise _invalid(path, f"{path}.schema={quote(schema)} must be an object")
    strict = wrapped.get("strict")
    if strict not in (None, True, False):
        raise _invalid(path, f"{path}.strict={quote(strict)} must be true or false")
    return {"json_schema": schema} if strict else _lenient(schema)


def _lenient(schema: Any) -> Settings:
    return {"json_schema": closed(schema), "lenient": True}


def _structured_outputs(name: str, value: Any) -> Settings:
    """vLLM's `structured_outputs`: an object of one form, and of options.

    Those that choose a library or its ways have no effect.
    """
    if not isinstance(value, dict):
        raise invalid(f"{name}={quote(value)} must be an object", name)
    stated = {key: one for key, one in value.items() if one is not None}
    found = {VLLM_FORMS[key]: one for key, one in stated.items() if key in VLLM_FORMS}
    if stated.get("json_object"):
        found["json"] = True
    if stated.get("disable_any_whitespace"):
        found["json_whitespace"] = "compact"
    known = (*VLLM_FORMS, "json_object", *VLLM_OPTIONS)
    unknown = next((key for key in stated if key not in known), None)
    if unknown is not None:
        raise _refused(name, f"{unknown} is not supported: there are {', '.join(known)}")
    return found


def _refused(path: str, reason: str) -> ApiError:
    return _invalid(path, f"{path}: {reason}", "unsupported_parameter")


def _invalid(path: str, message: str, code: str | None = None) -> ApiError:
    """An error of the field in which the path begins."""
    return invalid(message, path.partition(".")[0], code)


_READERS: Mapping[str, Callable[[str, Any], Settings]] = {
    "response_format": response_format,
    "structured_outputs": _structured_outputs,
}
