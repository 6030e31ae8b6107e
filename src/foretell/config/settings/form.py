"""Structured output: languages that a text is held to."""

from __future__ import annotations

from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import (
    BOOLEAN,
    CHOICES,
    GRAMMAR,
    JSON_SCHEMA,
    PATTERN,
    STRUCTURAL_TAG,
    WHITESPACE,
)

HEADING = "Structured output"

_JSON = ("json_schema", "json", "structural_tag")


ONE = "a text has one form: json_schema, json, regex, choices, grammar or structural_tag"

ROWS: dict[str, Setting] = {
    "json_schema": Setting(
        JSON_SCHEMA,
        Kind.FORM,
        "a JSON schema that the text follows; or a pydantic model, a dataclass, a TypedDict",
        code="""\
from dataclasses import dataclass

@dataclass
class Animal:
    name: str
    legs: int

output = llm.generate("A cat: ", json_schema=Animal, max_new_tokens=40)
print(output.parsed)
""",
        with_others=ONE,
        aliases=("guided_json", "json_object_schema", "output_schema"),
    ),
    "json": Setting(
        BOOLEAN,
        Kind.FORM,
        "whether the text is a JSON object",
        with_others=ONE,
        aliases=("json_mode", "json_object"),
        flag="json-object",
    ),
    "regex": Setting(
        PATTERN,
        Kind.FORM,
        "a regular expression that the whole text matches",
        with_others=ONE,
        aliases=("guided_regex", "pattern"),
    ),
    "choices": Setting(
        CHOICES,
        Kind.FORM,
        "texts of which one is written",
        with_others=ONE,
        aliases=("guided_choice", "choice"),
    ),
    "grammar": Setting(
        GRAMMAR,
        Kind.FORM,
        "a grammar that the text follows, as Lark or llama.cpp's GBNF write it",
        with_others=ONE,
        source="llguidance; llama.cpp",
        aliases=("guided_grammar", "gbnf", "lark", "ebnf"),
    ),
    "structural_tag": Setting(
        STRUCTURAL_TAG,
        Kind.FORM,
        "free text, with JSON by a schema between some tags",
        with_others=ONE,
        source="vLLM",
    ),
    "json_whitespace": Setting(
        WHITESPACE,
        Kind.DETAIL,
        "white space in JSON: free (up to two characters), fixed (a space behind , and :) or "
        "compact (none)",
        needs=_JSON,
    ),
    "lenient": Setting(
        BOOLEAN,
        Kind.DETAIL,
        "pass over what of a schema cannot be held to, and check the finished text against it",
        needs=("json_schema", "structural_tag"),
    ),
}
