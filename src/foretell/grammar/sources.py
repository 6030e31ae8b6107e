"""What the settings ask for, in the library's own notation."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from foretell.config import GenerationConfig
from foretell.config.schemas import JsonSchema
from foretell.errors import ConfigError
from foretell.grammar import keywords
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

ANY_OBJECT = '{"type":"object"}'
WHITESPACE: Mapping[str, Mapping[str, Any]] = {
    "free": {"whitespace_flexible": True, "whitespace_pattern": r"[ \n]{1,2}"},
    "fixed": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
    "compact": {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"},
}
"""By `json_whitespace`. Without a bound a model may write white space until its budget is spent."""

MAX_CHOICES = 2**20
"""Characters of all choices together; they take some hundred bytes each."""


@dataclass(frozen=True)
class Source:
    """A language, ready to be compiled; equal ones are compiled once.

    Attributes:
        setting: the name of the setting that it comes from.
        text: in the notation of the setting.
        whitespace: how JSON is laid out.
        lenient: whether what of a schema cannot be held to is passed over.
    """

    setting: str
    text: str
    whitespace: str = "free"
    lenient: bool = False


def source_of(config: GenerationConfig) -> Source | None:
    """The language that the settings hold a text to, if they do."""
    setting = config.form
    if setting is None:
        return None
    value = getattr(config, setting)
    if setting == "json":
        value = ANY_OBJECT
    elif setting == "choices":
        value = json.dumps([*value])
        if len(value) > MAX_CHOICES:
            raise ConfigError(
                f"choices has {len(value)} characters in all: must have at most {MAX_CHOICES}"
            )
    text = value.text if isinstance(value, JsonSchema) else value
    return Source(setting, text, config.json_whitespace or "free", config.lenient)


def grammar_text(source: Source, special: Collection[str] = ()) -> str:
    """The source as the library takes it; `special` are names of control tokens.

    Raises:
        ConfigError: it is none, or a keyword of its schema cannot be held to.
    """
    if source.setting in ("json_schema", "json"):
        schema = _supported(source.setting, json.loads(source.text), lenient=source.lenient)
        return json_grammar(schema, source)
    if source.setting == "structural_tag":
        return _of_tags(source, special)
    if source.setting == "choices":
        return _of_regex("|".join(map(_literal, json.loads(source.text))))
    if source.setting == "regex":
        return _of_regex(source.text)
    return _of_grammar(source.text)


def schemas_of(source: Source) -> list[tuple[str, Any]]:
    """The JSON schemas of a source, each with its name in messages."""
    if source.setting in ("json_schema", "json"):
        return [(source.setting, json.loads(source.text))]
    if source.setting != "structural_tag":
        return []
    structures = json.loads(source.text)["structures"]
    return [
        (f"structural_tag.structures[{index}].schema", one["schema"])
        for index, one in enumerate(structures)
    ]


def json_grammar(schema: Any, source: Source) -> str:
    """A schema as the library takes it; ValueError where that cannot even read it."""
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_json_schema(
        json.dumps(schema, ensure_ascii=False),
        overrides=_options(source),
    )


def _options(source: Source) -> JsonCompileOptions:
    options = {**WHITESPACE[source.whitespace], "lenient": source.lenient}
    return cast("JsonCompileOptions", options)


def _supported(name: str, schema: Any, *, lenient: bool) -> Any:
    """The schema as it can be compiled; ConfigError where that leaves something out and may not."""
    if schema is False:
        raise ConfigError(f"{name}=false allows no text at all: must allow one")
    if schema is True:
        return {}
    found = keywords.unsupported(schema)
    if found and not lenient:
        told = "; ".join(map(str, found[:3]))
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        raise ConfigError(f"{name}: {told}{more}: drop it, or set lenient=True")
    return keywords.without_unsupported(schema)


def _of_regex(pattern: str) -> str:
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_regex(pattern)


def _literal(text: str) -> str:
    """A text as a regular expression of the library's kind."""
    return re.sub(r"[\\.+*?()|\[\]{}^$#&\-~/\s]", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match.group()):x}}}"


def _of_grammar(text: str) -> str:
    from llguidance import LLMatcher
    from llguidance.gbnf_to_lark import any_to_lark

    try:
        return LLMatcher.grammar_from_lark(any_to_lark(text))
    except RecursionError as error:
        raise ConfigError("grammar is nested too deeply") from error
    except Exception as error:
        raise ConfigError(f"grammar is neither Lark nor GBNF: {quote(error)}") from error


def _of_tags(source: Source, special: Collection[str]) -> str:
    """Free text until a trigger, then the tag of that trigger, and so on.

    A trigger that is a control token of the model is that token, and not its name in letters.
    """
    from llguidance import LLMatcher

    data = json.loads(source.text)
    rules = ["%llguidance {}"]
    tags = []
    for index, one in enumerate(data["structures"]):
        trigger = _trigger(one["begin"], data.get("triggers") or [one["begin"]])
        name = f"structural_tag.structures[{index}].schema"
        schema = _supported(name, one["schema"], lenient=source.lenient)
        body = json.dumps({**schema, "x-guidance": _options(source)})
        head = f"TEXT {trigger}" if trigger in special else f"trigger_{index}"
        if trigger not in special:
            rules.append(f"trigger_{index}[lazy]: TEXT {json.dumps(trigger)}")
        rest = one["begin"].removeprefix(trigger)
        begin = json.dumps(rest) if rest else ""
        rules.append(f"tag_{index}: {head} {begin} %json {body} {json.dumps(one['end'])}")
        tags.append(f"tag_{index}")
    rules += [f"start: ({' | '.join(tags)})* last", "last: TEXT", r"TEXT: /(.|\n)*/"]
    return LLMatcher.grammar_from_lark("\n".join(rules))


def _trigger(begin: str, triggers: Iterable[str]) -> str:
    return next(one for one in triggers if one and begin.startswith(one))
