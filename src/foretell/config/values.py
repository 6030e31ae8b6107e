"""The values of settings that are no plain numbers: how they are checked, written and told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from typing import Any

from foretell.config.choices import LOGPROB_STAGES, NEVER, SCOPE_NAMES
from foretell.config.forms import (
    WHITESPACE_STYLES,
    choices,
    formal_language,
    structural_tag,
    whitespace,
)
from foretell.config.schemas import json_schema
from foretell.config.validators import (
    Word,
    boolean,
    decay,
    detection,
    early_stopping,
    forced_words,
    function,
    function_or_several,
    functions,
    id_sequences,
    layers,
    logprob_stages,
    prompt,
    scope,
    sequence_biases,
    stages,
    strings,
    text,
    token_biases,
    token_id,
    token_ids,
    watermark,
)


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
    WORDS = auto()
    NAMES = auto()
    SCOPE = auto()
    DECAY = auto()
    EARLY_STOPPING = auto()
    LAYERS = auto()
    WATERMARK = auto()
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


def _ids_of_words(words: Iterable[Word]) -> Iterator[int]:
    for word in words:
        for one in word:
            if not isinstance(one, str):
                yield from one


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
WORDS = Values(
    forced_words,
    "texts, or lists of token ids; alternatives in a list",
    Notation.WORDS,
    token_ids=_ids_of_words,
)
SCOPE = Values(scope, f"{', '.join(SCOPE_NAMES)} or a number", Notation.SCOPE)
DECAY = Values(decay, "start ≥ 0, factor > 0", Notation.DECAY)
DETECTION = Values(detection, "True, or sizes and count", Notation.DETECTION)
EARLY_STOPPING = Values(early_stopping, f'True, False or "{NEVER}"', Notation.EARLY_STOPPING)
WATERMARK = Values(watermark, "True, or what marks", Notation.WATERMARK)
LAYERS = Values(layers, '"low", "high" or numbers of layers', Notation.LAYERS)
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
