"""What the settings ask for, in the library's own notation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from foretell.config import GenerationConfig
from foretell.config.schemas import JsonSchema
from foretell.errors import ConfigError
from foretell.grammar import keywords
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

TEXT = r"TEXT: /(.|\n)*/"
SPACE = r"SPACE: /[ \n]{0,2}/"
NO_NAMES: Mapping[str, int] = {}
ANY_OBJECT = '{"type":"object"}'
WHITESPACE: Mapping[str, Mapping[str, Any]] = {
    "free": {"whitespace_flexible": True, "whitespace_pattern": r"[ \n]{1,2}"},
    "fixed": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
    "compact": {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"},
}
"""By `json_whitespace`. Without a bound a model may write white space until its budget is spent."""

SHORT_ESCAPES = '"\\\\bfnrt'
"""Where keys that are not listed may be written, none is to be spelled as \\u0061: the library
would take a listed one so spelled for another, and not hold its value to anything. Control
characters that have no short escape cannot be written there."""


class Progress(Enum):
    """How far a prompt has come with what is thought."""

    TO_COME = auto()
    BEGUN = auto()
    OVER = auto()


@dataclass(frozen=True)
class Thoughts:
    """What may be thought before a text.

    Attributes:
        begin, end: the marks around it.
        progress: how far the prompt has come with it.
    """

    begin: str
    end: str
    progress: Progress = Progress.TO_COME


@dataclass(frozen=True)
class Source:
    """A language, ready to be compiled; equal ones are compiled once.

    Attributes:
        setting: the name of the setting that it comes from.
        text: in the notation of the setting.
        whitespace: how JSON is laid out.
        lenient: whether what of a schema cannot be held to is passed over.
        thoughts: what may be thought before the text, if anything may.
        otherwise: a JSON schema that a text follows which has no structural tag; None: any text.
    """

    setting: str
    text: str
    whitespace: str = "free"
    lenient: bool = False
    thoughts: Thoughts | None = None
    otherwise: str | None = None


def source_of(config: GenerationConfig) -> Source | None:
    """The language that the settings hold a text to, if they do."""
    setting = config.form
    if setting is None:
        return None
    value = getattr(config, setting)
    otherwise = None
    if setting == "json":
        value = ANY_OBJECT
    elif setting == "structural_tag":
        otherwise = _text_of(config.json_schema) or (ANY_OBJECT if config.json else None)
    elif setting == "choices":
        value = json.dumps([*value])
    return Source(
        setting,
        _text_of(value),
        config.json_whitespace or "free",
        config.lenient,
        otherwise=otherwise,
    )


def _text_of(value: Any) -> Any:
    """A schema's text; what is none, as it is."""
    return value.text if isinstance(value, JsonSchema) else value


def grammar_text(source: Source, special: Mapping[str, int] = NO_NAMES) -> str:
    """The source as the library takes it; `special` are the control tokens' ids by their names.

    Raises:
        ConfigError: it is none, or a keyword of its schema cannot be held to.
    """
    if source.setting == "structural_tag":
        return _of_tags(source, special)
    text = _of_form(source)
    if source.thoughts is None or source.thoughts.progress is Progress.OVER:
        return text
    return _behind_thoughts(text, source.thoughts, special)


def _of_form(source: Source) -> str:
    """A form that knows no thoughts."""
    if source.setting in ("json_schema", "json"):
        schema = _supported(source.setting, json.loads(source.text), lenient=source.lenient)
        return json_grammar(schema, source)
    if source.setting == "choices":
        return _of_regex("|".join(map(_literal, json.loads(source.text))))
    if source.setting == "regex":
        return _of_regex(source.text)
    return _of_grammar(source.text)


class NamedSchema(NamedTuple):
    """A schema, its name in messages, and whether what cannot be held to of it is passed over."""

    name: str
    schema: Any
    is_lenient: bool


def schemas_of(source: Source) -> list[NamedSchema]:
    """The JSON schemas of a source."""
    if source.setting in ("json_schema", "json"):
        return [NamedSchema(source.setting, json.loads(source.text), source.lenient)]
    if source.setting != "structural_tag":
        return []
    found = [
        NamedSchema(name, one["schema"], _is_lenient(one, source))
        for name, one in _structures(json.loads(source.text))
    ]
    if source.otherwise is not None:
        found.append(NamedSchema("json_schema", json.loads(source.otherwise), source.lenient))
    return found


def json_grammar(schema: Any, source: Source) -> str:
    """A schema as the library takes it; ValueError where that cannot even read it."""
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_json_schema(
        json.dumps(schema, ensure_ascii=False),
        overrides=_options(source, schema),
    )


def _options(source: Source, schema: Any) -> JsonCompileOptions:
    options = {**WHITESPACE[source.whitespace], "lenient": source.lenient}
    if keywords.has_open_keys(schema):
        options["json_allowed_escapes"] = SHORT_ESCAPES
    return cast("JsonCompileOptions", options)


def _supported(name: str, schema: Any, *, lenient: bool) -> Any:
    """The schema as it can be compiled; ConfigError where that leaves something out and may not."""
    if schema is False:
        raise ConfigError(f"{name}=false allows no text at all: must allow one")
    if schema is True:
        return {}
    reason = keywords.excess(schema)
    if reason is not None:
        raise ConfigError(f"{name} {reason}")
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


def _of_tags(source: Source, special: Mapping[str, int]) -> str:
    """Free text until a trigger, then the tag of that trigger, and so on; or tags alone.

    Where a text without tags has a form of its own, an answer is tags alone, or that text. The name
    of a control token in a tag's beginning or end is that token, and not its letters.
    """
    from llguidance import LLMatcher

    data = json.loads(source.text)
    is_bare = data.get("at_least_one", False) or source.otherwise is not None
    rules = ["%llguidance {}"]
    for index, (name, one) in enumerate(_structures(data)):
        own = replace(source, lenient=_is_lenient(one, source))
        schema = _supported(name, one["schema"], lenient=own.lenient)
        rules += _tag(f"tag_{index}", one, schema, own, special, is_bare=is_bare)
    rules += _order_of(data, source)
    rules += _thoughts(source.thoughts, special, is_bare=is_bare)
    return LLMatcher.grammar_from_lark("\n".join(rules))


def _structures(data: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The tags of a structural tag, each with the name of its schema in messages."""
    several = data["structures"]
    return [
        (f"structural_tag.structures[{index}].schema", one) for index, one in enumerate(several)
    ]


def _is_lenient(tag: Mapping[str, Any], source: Source) -> bool:
    """Whether what cannot be held to is passed over in a tag, which may say so itself."""
    return not tag["strict"] if "strict" in tag else source.lenient


def _tag(
    name: str,
    tag: Mapping[str, Any],
    schema: Any,
    source: Source,
    special: Mapping[str, int],
    *,
    is_bare: bool,
) -> list[str]:
    """The rules of a tag: its beginning, behind free text if it is not bare, JSON, its end."""
    whole = None if source.otherwise is None else _as_schema(tag, schema)
    if whole is not None:
        return [f"{name}: {_json_rule(whole, source)}"]
    rules: list[str] = []
    begin, end = (_in_lark(tag[key], special) for key in ("begin", "end"))
    if not is_bare:
        triggers = json.loads(source.text).get("triggers") or [tag["begin"]]
        begin = _triggered(_trigger(tag["begin"], triggers), tag["begin"], name, special, rules)
    return [*rules, f"{name}: {begin} {_json_rule(schema, source)} {end}"]


def _json_rule(schema: Any, source: Source) -> str:
    """JSON by this schema, within a rule."""
    return "%json " + json.dumps({**schema, "x-guidance": _options(source, schema)})


def _as_schema(tag: Mapping[str, Any], schema: Any) -> Any | None:
    """A tag that is a JSON object with its marks, as the schema of that object; None for others.

    Where JSON may come in its place, it must be told from that key by key.
    """
    try:
        frame = json.loads(f"{tag['begin']}null{tag['end']}")
    except ValueError:
        return None
    if not isinstance(frame, dict):
        return None
    shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    properties = {key: schema if one is None else {"const": one} for key, one in frame.items()}
    return {
        **shared,
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _order_of(data: Mapping[str, Any], source: Source) -> list[str]:
    """How tags follow each other, and what stands between them or in their place."""
    tags = " | ".join(f"tag_{index}" for index in range(len(data["structures"])))
    is_one, must_call = data.get("stop_after_first", False), data.get("at_least_one", False)
    if not must_call and source.otherwise is None:
        several = f"({tags}) | last" if is_one else f"({tags})* last"
        return [f"answer: {several}", "last: TEXT", TEXT]
    several = f"({tags})" if is_one else f"({tags}) (SPACE ({tags}))*"
    if must_call or source.otherwise is None:
        return [f"answer: {several}", SPACE, TEXT]
    schema = _supported("json_schema", json.loads(source.otherwise), lenient=source.lenient)
    return [f"answer: {several} | form", f"form: {_json_rule(schema, source)}", SPACE, TEXT]


def _behind_thoughts(text: str, thoughts: Thoughts, special: Mapping[str, int]) -> str:
    """A form's grammar as a part of another, in which thoughts come first."""
    inner = json.loads(text)["grammars"][0] if text.lstrip().startswith("{") else {}
    inner = {**(inner or {"lark_grammar": text}), "name": "form"}
    rules = ["%llguidance {}", "answer: @form", SPACE, TEXT]
    rules += _thoughts(thoughts, special, is_bare=True)
    return json.dumps({"grammars": [{"lark_grammar": "\n".join(rules)}, inner]})


def _thoughts(thoughts: Thoughts | None, special: Mapping[str, int], *, is_bare: bool) -> list[str]:
    """What is thought before an answer, which begins with free text unless it is bare.

    Where the mark is text too, what is still to be thought is part of that text.
    """
    if thoughts is None:
        return ["start: answer"]
    begin, end = _in_lark(thoughts.begin, special), _in_lark(thoughts.end, special)
    is_text = not is_bare and thoughts.begin not in special
    is_to_come = thoughts.progress is Progress.TO_COME
    if thoughts.progress is Progress.OVER or (is_to_come and is_text):
        return ["start: answer"]
    lazy = "" if thoughts.end in special else "[lazy]"
    thought = "closing SPACE answer" if is_bare else "(closing answer | last)"
    if is_to_come:
        thought = f"{'SPACE ' if is_bare else ''}{begin} {thought} | answer"
    return [f"closing{lazy}: TEXT {end}", f"start: {thought}"]


def _triggered(
    trigger: str, begin: str, name: str, special: Mapping[str, int], rules: list[str]
) -> str:
    """A tag's beginning behind free text, for which a rule of this name may be added."""
    rest = _in_lark(begin.removeprefix(trigger), special)
    if trigger in special:
        return f"TEXT {_in_lark(trigger, special)} {rest}"
    rules.append(f"trigger_{name}[lazy]: TEXT {json.dumps(trigger)}")
    return f"trigger_{name} {rest}"


def _in_lark(text: str, special: Mapping[str, int]) -> str:
    """A text in Lark's notation, control tokens by their ids."""
    names = sorted((re.escape(name) for name in special if name in text), key=len, reverse=True)
    pieces = re.split(f"({'|'.join(names)})", text) if names else [text]
    return " ".join(
        f"<[{special[piece]}]>" if piece in special else json.dumps(piece, ensure_ascii=False)
        for piece in pieces
        if piece
    )


def _trigger(begin: str, triggers: Iterable[str]) -> str:
    return next(one for one in triggers if one and begin.startswith(one))
