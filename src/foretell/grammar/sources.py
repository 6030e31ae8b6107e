"""What the settings ask for, in the library's own notation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from foretell.config import GenerationConfig
from foretell.config.schemas import JsonSchema
from foretell.errors import ConfigError
from foretell.grammar import keywords
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

TEXT = r"TEXT: /(.|\n)*/"
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

MAX_CHOICES = 2**20
"""Characters of all choices together; they take some hundred bytes each."""


class Thoughts(Enum):
    """How far a prompt has come with what is thought."""

    TO_COME = auto()
    BEGUN = auto()
    OVER = auto()


@dataclass(frozen=True)
class Source:
    """A language, ready to be compiled; equal ones are compiled once.

    Attributes:
        setting: the name of the setting that it comes from.
        text: in the notation of the setting.
        whitespace: how JSON is laid out.
        lenient: whether what of a schema cannot be held to is passed over.
        thoughts: what may have been thought before the text; only a structural tag looks.
    """

    setting: str
    text: str
    whitespace: str = "free"
    lenient: bool = False
    thoughts: Thoughts = Thoughts.TO_COME


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


def grammar_text(source: Source, special: Mapping[str, int] = NO_NAMES) -> str:
    """The source as the library takes it; `special` are the control tokens' ids by their names.

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

    The name of a control token in a tag's beginning or end is that token, and not its letters.
    """
    from llguidance import LLMatcher

    data = json.loads(source.text)
    is_bare = data.get("at_least_one", False)
    rules = ["%llguidance {}"]
    tags = []
    for index, one in enumerate(data["structures"]):
        name = f"structural_tag.structures[{index}].schema"
        schema = _supported(name, one["schema"], lenient=source.lenient)
        body = json.dumps({**schema, "x-guidance": _options(source, schema)})
        begin = _in_lark(one["begin"], special)
        if not is_bare:
            trigger = _trigger(one["begin"], data.get("triggers") or [one["begin"]])
            begin = _triggered(trigger, one["begin"], f"trigger_{index}", special, rules)
        rules.append(f"tag_{index}: {begin} %json {body} {_in_lark(one['end'], special)}")
        tags.append(f"tag_{index}")
    rules += _order_of(
        " | ".join(tags), is_bare=is_bare, is_one=data.get("stop_after_first", False)
    )
    if "thoughts" in data:
        rules += _thoughts(data["thoughts"], source.thoughts, special, is_bare=is_bare)
    else:
        rules.append("start: answer")
    return LLMatcher.grammar_from_lark("\n".join(rules))


def _order_of(tags: str, *, is_bare: bool, is_one: bool) -> list[str]:
    """How tags follow each other, and what stands between."""
    if is_bare:
        more = "" if is_one else f" (SPACE ({tags}))*"
        return [f"answer: ({tags}){more}", r"SPACE: /[ \n]{0,2}/", TEXT]
    several = f"({tags}) | last" if is_one else f"({tags})* last"
    return [f"answer: {several}", "last: TEXT", TEXT]


def _thoughts(
    marks: Sequence[str], thoughts: Thoughts, special: Mapping[str, int], *, is_bare: bool
) -> list[str]:
    """What is thought before an answer.

    Where an answer may begin with text, and the mark is text too, what is still to be thought is
    part of that text.
    """
    begin, end = (_in_lark(mark, special) for mark in marks)
    is_text = not is_bare and marks[0] not in special
    if thoughts is Thoughts.OVER or (thoughts is Thoughts.TO_COME and is_text):
        return ["start: answer"]
    lazy = "" if marks[1] in special else "[lazy]"
    thought = "closing SPACE answer" if is_bare else "(closing answer | last)"
    if thoughts is Thoughts.TO_COME:
        thought = f"{'SPACE ' if is_bare else ''}{begin} {thought} | answer"
    return [f"closing{lazy}: TEXT {end}", f"start: {thought}"]


def _triggered(
    trigger: str, begin: str, name: str, special: Mapping[str, int], rules: list[str]
) -> str:
    """A tag's beginning behind free text, for which a rule of this name may be added."""
    rest = _in_lark(begin.removeprefix(trigger), special)
    if trigger in special:
        return f"TEXT {_in_lark(trigger, special)} {rest}"
    rules.append(f"{name}[lazy]: TEXT {json.dumps(trigger)}")
    return f"{name} {rest}"


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
