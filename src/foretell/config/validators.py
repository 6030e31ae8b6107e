"""Settings that are not plain numbers: what is accepted, and the one form that is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from typing import Any

from foretell.config import plain
from foretell.config.choices import LOGPROB_STAGES, NEVER, SCOPE_NAMES
from foretell.config.ranges import FINITE, MAX_COUNT, TOKEN_ID, Range
from foretell.config.schemas import JsonSchema, json_schema
from foretell.errors import ConfigError
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

BAN = "-inf"
"""A bias of minus infinity, as JSON can spell it."""

MAX_DIGITS = 19
"""A text of more digits is no token id."""


PATTERN_SIZE = Range(int, 1, 10_000, "tokens")
MIN_COUNT = Range(int, 2, math.inf, "repetitions")
DECAY_START = Range(int, 0, math.inf, "tokens")
DECAY_FACTOR = Range(float, 0.0, FINITE, "a factor", open_low=True)


@dataclass(frozen=True)
class RepetitionDetection:
    """A loop: a pattern of `min_pattern_size` to `max_pattern_size` tokens, `min_count` times.

    The output ends as soon as its last tokens are such a loop (the names are vLLM's).
    """

    max_pattern_size: int = 20
    min_pattern_size: int = 1
    min_count: int = 4

    def __post_init__(self) -> None:
        for name in ("max_pattern_size", "min_pattern_size"):
            object.__setattr__(self, name, PATTERN_SIZE.check(name, getattr(self, name)))
        object.__setattr__(self, "min_count", MIN_COUNT.check("min_count", self.min_count))
        if self.min_pattern_size > self.max_pattern_size:
            raise ConfigError(
                f"min_pattern_size={self.min_pattern_size} is above "
                f"max_pattern_size={self.max_pattern_size}: lower it, or raise that"
            )


def wrong(name: str, value: object, form: str) -> ConfigError:
    """The error of a value that is not of the form that its setting takes."""
    return ConfigError(f"{name}={quote(value)} must be {form}")


def boolean(name: str, value: Any) -> bool:
    """True or False, as it is."""
    found = plain.boolean(value)
    if found is None:
        raise wrong(name, value, "True or False")
    return found


def early_stopping(name: str, value: Any) -> bool | str:
    """True, False or "never"."""
    found = plain.boolean(value)
    if found is None and plain.string(value) != NEVER:
        raise wrong(name, value, f"True, False or {NEVER!r}")
    return NEVER if found is None else found


def text(name: str, value: Any) -> str:
    """A string, as it is."""
    found = plain.string(value)
    if found is None:
        raise wrong(name, value, "a string")
    return found


def strings(name: str, value: Any) -> tuple[str, ...]:
    """One string or several, none empty."""
    one = plain.string(value)
    found = plain.items(value) if one is None else (one,)
    texts = tuple(map(plain.string, found or ()))
    if found is None or not all(texts):
        raise wrong(name, value, "a string or a list of strings, none empty")
    if any(map(has_surrogate, filter(None, texts))):
        raise wrong(name, value, "Unicode, without lone surrogates")
    return texts  # type: ignore[return-value]


def token_id(name: str, value: Any) -> int:
    """One token id."""
    return int(TOKEN_ID.check(name, value))


def token_ids(name: str, value: Any) -> tuple[int, ...]:
    """One token id or several."""
    found = plain.items(value)
    if found is None:
        if plain.integer(value) is None:
            raise wrong(name, value, "a token id or a list of token ids")
        found = (value,)
    return tuple(token_id(name, item) for item in found)


def id_sequences(name: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """Several sequences of token ids, none empty."""
    found = plain.items(value)
    sequences = [plain.items(item) for item in found or ()]
    if found is None or not all(sequences):
        raise wrong(name, value, "a list of lists of token ids, none empty")
    return tuple(token_ids(name, ids) for ids in sequences)


def token_biases(name: str, value: Any) -> dict[int | str, float]:
    """Biases by token: an id, or a text; digits alone are an id, as in JSON for OpenAI's API."""
    pairs = _pairs(value)
    if pairs is None:
        raise wrong(name, value, "a dict from token ids or texts to numbers")
    biases = {_token(name, key): _bias(name, bias) for key, bias in pairs}
    if len(biases) < len(pairs):
        raise ConfigError(f"{name}={quote(value)} names a token twice: must have one bias for each")
    return biases


def _token(name: str, key: Any) -> int | str:
    found = plain.string(key)
    if found is None:
        return token_id(name, key)
    if not found:
        raise ConfigError(f"{name} has an empty text: must name a token")
    return token_id(name, int(found)) if _is_digits(found) else found


def quoted_digits(text: str) -> str:
    """A text as `logit_bias` takes it: digits in double quotes are a text, and not an id."""
    return f'"{text}"' if _is_digits(text) else text


def text_of(key: str) -> str:
    """The text that a key of `logit_bias` means."""
    return key[1:-1] if key[0] == key[-1] == '"' and _is_digits(key[1:-1]) else key


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def sequence_biases(name: str, value: Any) -> dict[tuple[int, ...], float]:
    """Biases by sequence of ids: a dict by tuple, or pairs of a list and a number."""
    pairs = _pairs(value)
    if pairs is None:
        raise wrong(name, value, "a dict from tuples of token ids to numbers")
    keys = id_sequences(name, [key for key, _ in pairs])
    return {key: _bias(name, bias) for key, (_, bias) in zip(keys, pairs, strict=True)}


def _pairs(value: Any) -> list[tuple[Any, Any]] | None:
    """The keys and values of a dict, or of a list of pairs; None if it is neither."""
    if isinstance(value, Mapping):
        return list(value.items())
    found = plain.items(value)
    pairs = [plain.items(pair) or () for pair in found or ()]
    if found is None or any(len(pair) != 2 for pair in pairs):
        return None
    return [(key, item) for key, item in pairs]


def _bias(name: str, value: Any) -> float:
    found = -math.inf if plain.string(value) == BAN else plain.number(value)
    if found is None or not found <= FINITE:  # NaN fails the comparison
        raise ConfigError(f"{name} has the bias {quote(value)}: must be a number, or -inf to ban")
    return float(found) if found >= -FINITE else -math.inf


def scope(name: str, value: Any) -> str | int:
    """ "prompt", "output", "all", or the number of last tokens."""
    count, word = plain.integer(value), plain.string(value)
    if word in SCOPE_NAMES:
        return word
    if count is None or count < 1:
        names = ", ".join(map(repr, SCOPE_NAMES))
        raise wrong(name, value, f"{names} or a number of last tokens ≥ 1")
    return min(count, MAX_COUNT)


def decay(name: str, value: Any) -> tuple[int, float]:
    """(start, factor) of the exponential length penalty."""
    try:
        start, factor = plain.items(value) or ()
        return int(DECAY_START.check(name, start)), float(DECAY_FACTOR.check(name, factor))
    except ValueError as error:  # ConfigErrors as well
        raise wrong(name, value, "(start ≥ 0 in tokens, factor > 0)") from error


def detection(name: str, value: Any) -> RepetitionDetection | None:
    """True, a `RepetitionDetection`, or a dict of its fields; False is off."""
    if isinstance(value, RepetitionDetection):
        return value
    found = plain.boolean(value)
    if found is not None:
        return RepetitionDetection() if found else None
    try:
        return RepetitionDetection(**value)
    except TypeError as error:
        fields = "max_pattern_size, min_pattern_size, min_count"
        raise wrong(name, value, f"True or a dict of {fields}") from error


def function(name: str, value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise wrong(name, value, "a function")
    return value  # type: ignore[no-any-return]


def functions(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    """One function or several."""
    several = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(function(name, item) for item in several)


def function_or_several(name: str, value: Any) -> Any:
    """A function as it is, or several."""
    return functions(name, value) if isinstance(value, (list, tuple)) else function(name, value)


def stages(name: str, value: Any) -> tuple[Any, ...]:
    """A chain: names of settings, and functions on a row."""
    found = plain.items(value)
    if found is None:
        raise wrong(name, value, "a list of setting names and functions")
    return tuple(plain.string(item) or function(name, item) for item in found)


def logprob_stages(name: str, value: Any) -> tuple[str, ...]:
    """One stage or several, each once."""
    found = strings(name, value)
    if not found or len({*found} & {*LOGPROB_STAGES}) < len(found):
        raise wrong(name, value, f"among {', '.join(LOGPROB_STAGES)}, each once")
    return found


def prompt(name: str, value: Any) -> str | tuple[int, ...]:
    """Text or token ids, not empty."""
    one = plain.string(value)
    kept = token_ids(name, value) if one is None else one
    if not kept:
        raise ConfigError(f"{name}={quote(value)} must have at least one token")
    return kept


WHITESPACE_STYLES = ("free", "fixed", "compact")

MAX_GRAMMAR = 2**18
"""Characters of a grammar or of a regular expression."""


def choices(name: str, value: Any) -> tuple[str, ...]:
    """Texts of which one is written, at least one, each once."""
    found = strings(name, value)
    if not found:
        raise ConfigError(f"{name} has no text: must have at least one")
    return tuple(dict.fromkeys(found))


def whitespace(name: str, value: Any) -> str:
    """A style of white space in JSON."""
    found = plain.string(value)
    if found not in WHITESPACE_STYLES:
        raise wrong(name, value, f"one of {', '.join(WHITESPACE_STYLES)}")
    return found


def formal_language(name: str, value: Any) -> str:
    """A grammar or a regular expression; whether it makes sense is found where it is compiled."""
    found = plain.string(value)
    if not found:
        raise wrong(name, value, "a string, not empty")
    if has_surrogate(found):
        raise wrong(name, value, "Unicode, without lone surrogates")
    if len(found) > MAX_GRAMMAR:
        raise ConfigError(f"{name} has {len(found)} characters: must have at most {MAX_GRAMMAR}")
    return found


def structural_tag(name: str, value: Any) -> JsonSchema:
    """vLLM's structural tag, as a dict or as its text: `structures` and their `triggers`.

    With `at_least_one` the text begins with a tag, and has nothing but tags; with
    `stop_after_first` it ends behind one. What is thought comes before, between two marks,
    `thoughts`; a prompt that ends with the first of them has begun it.
    """
    if isinstance(value, type):
        raise wrong(name, value, "a dict with structures and triggers")
    found = json_schema(name, value)
    data = found.data
    structures = data.get("structures") if isinstance(data, dict) else None
    keys = {"begin", "schema", "end"}
    good = isinstance(structures, list) and structures
    if not good or not all(isinstance(one, dict) and keys <= {*one} for one in structures or ()):
        raise ConfigError(f"{name} must have structures: a list of objects with {sorted(keys)}")
    triggers = data.get("triggers", [])
    if not isinstance(triggers, list) or not all(isinstance(one, str) for one in triggers):
        raise ConfigError(f"{name}.triggers must be a list of texts")
    for key in ("at_least_one", "stop_after_first"):
        if not isinstance(data.get(key, False), bool):
            raise ConfigError(f"{name}.{key} must be true or false")
    thoughts = data.get("thoughts", ["<think>", "</think>"])
    are_two = isinstance(thoughts, list) and len(thoughts) == 2
    if not are_two or not all(isinstance(one, str) and one for one in thoughts):
        raise ConfigError(f"{name}.thoughts must be two texts: what thoughts begin and end with")
    for index, one in enumerate(structures or ()):
        _check_tag(f"{name}.structures[{index}]", one, triggers)
    return found


def _check_tag(path: str, tag: Mapping[str, Any], triggers: Iterable[str]) -> None:
    for key in ("begin", "end"):
        if not isinstance(tag[key], str) or not tag[key]:
            raise ConfigError(f"{path}.{key} must be a text, not empty")
    if not isinstance(tag["schema"], (dict, bool)):
        raise ConfigError(f"{path}.schema must be a JSON schema")
    if triggers and not any(one and tag["begin"].startswith(one) for one in triggers):
        raise ConfigError(f"{path}.begin must start with one of the triggers")


class Notation(Enum):
    """How values are written on a command line."""

    FLAG = auto()
    TEXT = auto()
    TEXTS = auto()
    CHOICE = auto()
    DIALECT = auto()
    TOKEN_ID = auto()
    TOKEN_IDS = auto()
    ID_SEQUENCES = auto()
    TOKEN_BIASES = auto()
    SEQUENCE_BIASES = auto()
    NAMES = auto()
    SCOPE = auto()
    DECAY = auto()
    EARLY_STOPPING = auto()
    DETECTION = auto()
    PATTERN = auto()
    SCHEMA = auto()
    GRAMMAR = auto()
    NONE = auto()
    """A function of Python, and so no option."""


@dataclass(frozen=True)
class Values:
    """The values of a setting that is no plain number.

    Attributes:
        check: from the setting's name and a value to the form that is kept; raises ConfigError.
        form: what values look like, in words.
        notation: how they are written on a command line.
        choices: all of them, if they are few.
        token_ids: finds the token ids in the form that is kept, if it has any.
    """

    check: Callable[[str, Any], Any]
    form: str
    notation: Notation
    choices: tuple[str, ...] = ()
    token_ids: Callable[[Any], Iterable[int]] | None = None


BOOLEAN = Values(boolean, "True or False", Notation.FLAG)
DIALECT = Values(text, "", Notation.DIALECT)  # which there are, `dialects.py` knows
TEXTS = Values(strings, "texts", Notation.TEXTS)
REGEXES = Values(strings, "regular expressions", Notation.TEXTS)
PROMPT = Values(prompt, "a text or token ids", Notation.TEXT)
ONE_TOKEN_ID = Values(token_id, "a token id", Notation.TOKEN_ID, token_ids=lambda one: (one,))
TOKEN_IDS = Values(token_ids, "token ids", Notation.TOKEN_IDS, token_ids=tuple)
ID_SEQUENCES = Values(
    id_sequences, "lists of token ids", Notation.ID_SEQUENCES, token_ids=chain.from_iterable
)
TOKEN_BIASES = Values(
    token_biases,
    "numbers by token id or text",
    Notation.TOKEN_BIASES,
    token_ids=lambda biases: (key for key in biases if isinstance(key, int)),
)
SEQUENCE_BIASES = Values(
    sequence_biases,
    "numbers by token ids",
    Notation.SEQUENCE_BIASES,
    token_ids=chain.from_iterable,
)
SCOPE = Values(scope, f"{', '.join(SCOPE_NAMES)} or a number", Notation.SCOPE)
DECAY = Values(decay, "start ≥ 0, factor > 0", Notation.DECAY)
DETECTION = Values(detection, "True, or sizes and count", Notation.DETECTION)
EARLY_STOPPING = Values(early_stopping, f'True, False or "{NEVER}"', Notation.EARLY_STOPPING)
CHOICES = Values(choices, "texts", Notation.TEXTS)
WHITESPACE = Values(whitespace, ", ".join(WHITESPACE_STYLES), Notation.CHOICE, WHITESPACE_STYLES)
PATTERN = Values(formal_language, "a regular expression", Notation.PATTERN)
GRAMMAR = Values(formal_language, "a grammar", Notation.GRAMMAR)
JSON_SCHEMA = Values(json_schema, "a JSON schema", Notation.SCHEMA)
STRUCTURAL_TAG = Values(structural_tag, "structures, and triggers", Notation.SCHEMA)
FUNCTION = Values(function, "a function", Notation.NONE)
FUNCTIONS = Values(functions, "a function", Notation.NONE)
FUNCTION_OR_SEVERAL = Values(function_or_several, "a function, or a list of them", Notation.NONE)
CHAIN = Values(stages, "names of settings, and functions", Notation.NAMES)
STAGE_NAMES = Values(logprob_stages, ", ".join(LOGPROB_STAGES), Notation.NAMES)


def one_of(*names: str) -> Values:
    """One of these texts; which of them it may be is checked where they are looked up."""
    return Values(text, ", ".join(names), Notation.CHOICE, names)
