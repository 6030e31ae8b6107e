"""The OpenAPI document: it has every route, every field and every setting, and says what holds."""

from __future__ import annotations

import dataclasses
import json

import pytest
from jsonschema import Draft202012Validator
from support.asgi import call
from support.toy import VOCAB_SIZE
from support.toy_async import run
from support.toy_server import serving

from foretell import GenerationConfig
from foretell.config import RANGES
from foretell.config.settings import SETTINGS
from foretell.errors import ConfigError
from foretell.server.fields import FORM_FIELDS, HARMLESS, OWN, RENAMED, SENDABLE
from foretell.server.openapi.answers import PLAIN, VIEWS, answer_schemas
from foretell.server.openapi.document import OPERATIONS
from foretell.server.openapi.requests import (
    SHAPES,
    SHAPES_OF,
    TAKES_NO_SETTINGS,
    body_schema,
    settings_schema,
)
from foretell.server.openapi.settings import setting_schema
from foretell.server.options import ServerOptions
from foretell.server.playground import Playground


def of_toy(check, options=None):
    """Run a check on the document of a toy server."""

    async def main() -> None:
        async with serving(options=options) as toy:
            key = {"authorization": "Bearer key"}
            check((await call(toy.app, "/openapi.json", headers=key)).data)

    run(main)


def described(app):
    """The routes of the interface; the playground's pages, for people, are no part of it."""
    return [route for route in app._app.routes if not isinstance(route.app, Playground)]


def references(data):
    """All references in a document."""
    if isinstance(data, dict):
        found = [data["$ref"]] if isinstance(data.get("$ref"), str) else []
        return found + [one for value in data.values() for one in references(value)]
    return [one for value in data for one in references(value)] if isinstance(data, list) else []


def test_it_has_each_route_of_the_interface_and_no_other():
    async def main() -> None:
        async with serving() as toy:
            served = {
                (route.path.replace(":path}", "}"), method.lower())
                for route in described(toy.app)
                for method in route.methods - {"HEAD"}
            }
            paths = (await call(toy.app, "/openapi.json")).data["paths"]
            assert {(path, method) for path, one in paths.items() for method in one} == served

    run(main)


def test_it_has_the_routes_that_need_no_key():
    async def main() -> None:
        async with serving() as toy:
            routes = described(toy.app)
            is_open = {route.path for route in routes if route.is_open}
            assert is_open == {path for path, one in OPERATIONS.items() if one.is_open}
            without_model = {route.path for route in routes if not route.needs_model}
            assert without_model == {*is_open, "/metrics"}

    run(main)


def test_all_that_it_refers_to_is_there():
    def check(document):
        names = {name.removeprefix("#/components/schemas/") for name in references(document)}
        assert names == set(document["components"]["schemas"])

    of_toy(check)


def test_each_shape_is_a_schema():
    def check(document):
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        for operations in document["paths"].values():
            for operation in operations.values():
                body = operation.get("requestBody", {}).get("content", {})
                for one in body.values():
                    Draft202012Validator.check_schema(one["schema"])

    of_toy(check)


def test_it_says_whether_a_key_is_needed():
    def without(document):
        assert "security" not in document

    def with_key(document):
        assert document["security"] == [{"key": []}]
        is_open = [
            p for p, one in document["paths"].items() if one.get("get", {}).get("security") == []
        ]
        assert is_open == ["/health", "/ready"]

    of_toy(without)
    of_toy(with_key, ServerOptions(api_keys=("key",), model_names=("toy",)))


def test_it_tells_the_models_own_bounds():
    def check(document):
        schemas = document["components"]["schemas"]
        assert schemas["ModelName"] == {"enum": ["toy", "alias"]}
        assert schemas["TokenId"]["maximum"] == VOCAB_SIZE - 1

    of_toy(check)


@pytest.mark.parametrize("route", OWN)
def test_each_field_of_a_route_is_there(route):
    body = body_schema(route)
    fields = body["allOf"][1] if "allOf" in body else body
    assert set(fields["properties"]) == {*OWN[route], *HARMLESS}
    assert ("allOf" in body) == (route not in TAKES_NO_SETTINGS)
    assert all(one["description"] for one in fields["properties"].values())


def test_there_is_no_shape_of_a_field_that_is_not_there():
    known = {(route, name) for route, fields in OWN.items() for name in fields}
    assert set(SHAPES_OF) <= known
    assert set(SHAPES) <= {name for _, name in known}


def test_each_setting_is_there_with_its_bounds():
    fields = settings_schema()["properties"]
    assert set(fields) == {*SENDABLE, *RENAMED, *FORM_FIELDS}
    defaults = {one.name: one.default for one in dataclasses.fields(GenerationConfig) if one.init}
    for name in SENDABLE:
        assert SETTINGS[name].meaning in fields[name]["description"]
        if defaults[name] not in (None, ()):
            assert fields[name]["default"] == json.loads(json.dumps(defaults[name]))


@pytest.mark.parametrize("name", [name for name in SENDABLE if name in RANGES])
def test_the_bounds_of_a_number_are_those_that_are_checked(name):
    schema, span = setting_schema(name), RANGES[name]
    for bound, step in (("minimum", -1), ("maximum", 1), ("exclusiveMinimum", 0)):
        if bound not in schema or (name, bound) in BOUNDS_OF_THE_SERVER:
            continue
        number = schema[bound]
        if bound != "exclusiveMinimum":
            span.check(name, number)
        with pytest.raises(ConfigError):
            span.check(name, number + step * max(1, abs(number)))


BOUNDS_OF_THE_SERVER = {
    ("top_k", "minimum"),  # vLLM's -1
    ("num_beams", "maximum"),
    ("num_return_sequences", "maximum"),
    ("prompt_logprobs", "maximum"),
}


def test_the_schemas_of_answers_have_names_of_their_own():
    parts = {name for name in answer_schemas() if name not in PLAIN}
    assert len(parts) == len(answer_schemas()) - len(PLAIN)
    assert {*VIEWS, "explain"} <= parts
    assert {one.answer for one in OPERATIONS.values()} - {""} <= set(answer_schemas())
