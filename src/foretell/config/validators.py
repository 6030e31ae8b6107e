"""Settings that are not plain numbers: what is accepted, and the one form that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from foretell.config.ranges import FINITE, TOKEN_ID
from foretell.errors import ConfigError

NEVER = "never"


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
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= 10_000:
                raise ConfigError(f"{name}={value!r} must be an integer from 1 to 10000 (tokens)")
        if not isinstance(self.min_count, int) or self.min_count < 2:
            raise ConfigError(f"min_count={self.min_count!r} must be an integer ≥ 2 (repetitions)")
        if self.min_pattern_size > self.max_pattern_size:
            raise ConfigError(
                f"min_pattern_size={self.min_pattern_size} is above "
                f"max_pattern_size={self.max_pattern_size}: must not be"
            )


def boolean(name: str, value: Any) -> bool:
    """True or False, as it is."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r} must be True or False")
    return value


def early_stopping(name: str, value: Any) -> bool | str:
    """True, False or "never"."""
    if not isinstance(value, bool) and value != NEVER:
        raise ConfigError(f"{name}={value!r} must be True, False or {NEVER!r}")
    return value  # type: ignore[no-any-return]


def text(name: str, value: Any) -> str:
    """A string, as it is."""
    if not isinstance(value, str):
        raise ConfigError(f"{name}={value!r} must be a string")
    return value


def strings(name: str, value: Any) -> tuple[str, ...]:
    """One string or several, none empty."""
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(s, str) and s for s in items):
        raise ConfigError(f"{name}={value!r} must be a string or a list of strings, none empty")
    return tuple(items)


def token_id(name: str, value: Any) -> int:
    """One token id."""
    TOKEN_ID.check(name, value)
    return int(value)


def token_ids(name: str, value: Any) -> tuple[int, ...]:
    """One token id or several."""
    items = (value,) if isinstance(value, int) else value
    if not isinstance(items, (list, tuple, set, frozenset, range)):
        raise ConfigError(f"{name}={value!r} must be a token id or a list of token ids")
    return tuple(token_id(name, item) for item in items)


def id_sequences(name: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """Several sequences of token ids, none empty."""
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(item, (list, tuple)) and item for item in value
    ):
        raise ConfigError(f"{name}={value!r} must be a list of lists of token ids, none empty")
    return tuple(token_ids(name, item) for item in value)


def token_biases(name: str, value: Any) -> dict[int | str, float]:
    """Biases by token: an id, or a text."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}={value!r} must be a dict from token ids or texts to numbers")
    for key in value:
        if not isinstance(key, str):
            token_id(name, key)
        elif not key:
            raise ConfigError(f"{name} has an empty text: must name a token")
    return {key: _bias(name, bias) for key, bias in value.items()}


def sequence_biases(name: str, value: Any) -> dict[tuple[int, ...], float]:
    """Biases by sequence of ids: a dict by tuple, or pairs of a list and a number."""
    pairs = value.items() if isinstance(value, Mapping) else value
    if not isinstance(value, (Mapping, list, tuple)) or not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs
    ):
        raise ConfigError(f"{name}={value!r} must be a dict from tuples of token ids to numbers")
    keys = id_sequences(name, [key for key, _ in pairs])
    return {key: _bias(name, pair[1]) for key, pair in zip(keys, pairs, strict=True)}


def _bias(name: str, value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and value <= FINITE):  # NaN fails the comparison
        raise ConfigError(f"{name} has the bias {value!r}: must be a number, or -inf to ban")
    return float(value)


def scope(name: str, value: Any) -> str | int:
    """ "prompt", "output", "all", or the number of last tokens."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not (is_count or value in ("prompt", "output", "all")):
        raise ConfigError(
            f"{name}={value!r} must be 'prompt', 'output', 'all' or a number of last tokens ≥ 1"
        )
    return value  # type: ignore[no-any-return]


def decay(name: str, value: Any) -> tuple[int, float]:
    """(start, factor) of the exponential length penalty."""
    try:
        start, factor = value
        fine = isinstance(start, int) and start >= 0 and 0 < factor < 3.0e38
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise ConfigError(f"{name}={value!r} must be (start ≥ 0 in tokens, factor > 0)")
    return int(start), float(factor)


def detection(name: str, value: Any) -> RepetitionDetection | None:
    """True, a `RepetitionDetection`, or a dict of its fields; False is off."""
    if isinstance(value, RepetitionDetection) or value is False:
        return value or None
    if value is True:
        return RepetitionDetection()
    try:
        return RepetitionDetection(**value)
    except TypeError as error:
        fields = "max_pattern_size, min_pattern_size, min_count"
        raise ConfigError(f"{name}={value!r} must be True or a dict of {fields}") from error


def function(name: str, value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise ConfigError(f"{name}={value!r} must be a function")
    return value  # type: ignore[no-any-return]


def functions(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    """One function or several."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(function(name, item) for item in items)


def stages(name: str, value: Any) -> tuple[Any, ...]:
    """A chain: names of settings, and functions on a row."""
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{name}={value!r} must be a list of setting names and functions")
    for item in value:
        if not isinstance(item, str):
            function(name, item)
    return tuple(value)


def logprob_stages(name: str, value: Any) -> tuple[str, ...]:
    """One stage or several, each once."""
    items = strings(name, value)
    known = ("raw", "processed", "final")
    if not items or any(item not in known for item in items) or len(set(items)) < len(items):
        raise ConfigError(f"{name}={value!r} must be among {', '.join(known)}, each once")
    return items


def prompt(name: str, value: Any) -> str | tuple[int, ...]:
    """Text or token ids, not empty."""
    kept = value if isinstance(value, str) else token_ids(name, value)
    if not kept:
        raise ConfigError(f"{name}={value!r} must have at least one token")
    return kept


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
    """

    check: Callable[[str, Any], Any]
    form: str
    notation: Notation
    choices: tuple[str, ...] = ()


BOOLEAN = Values(boolean, "True or False", Notation.FLAG)
DIALECT = Values(text, "", Notation.DIALECT)  # which there are, `dialects.py` knows
TEXTS = Values(strings, "texts", Notation.TEXTS)
REGEXES = Values(strings, "regular expressions", Notation.TEXTS)
PROMPT = Values(prompt, "a text or token ids", Notation.TEXT)
ONE_TOKEN_ID = Values(token_id, "a token id", Notation.TOKEN_ID)
TOKEN_IDS = Values(token_ids, "token ids", Notation.TOKEN_IDS)
ID_SEQUENCES = Values(id_sequences, "lists of token ids", Notation.ID_SEQUENCES)
TOKEN_BIASES = Values(token_biases, "numbers by token id or text", Notation.TOKEN_BIASES)
SEQUENCE_BIASES = Values(sequence_biases, "numbers by token ids", Notation.SEQUENCE_BIASES)
SCOPE = Values(scope, "prompt, output, all or a number", Notation.SCOPE)
DECAY = Values(decay, "start ≥ 0, factor > 0", Notation.DECAY)
DETECTION = Values(detection, "True, or sizes and count", Notation.DETECTION)
EARLY_STOPPING = Values(early_stopping, f'True, False or "{NEVER}"', Notation.EARLY_STOPPING)
FUNCTION = Values(function, "a function", Notation.NONE)
FUNCTIONS = Values(functions, "a function", Notation.NONE)
CHAIN = Values(stages, "names of settings, and functions", Notation.NAMES)
LOGPROB_STAGES = Values(logprob_stages, "raw, processed, final", Notation.NAMES)


def one_of(*names: str) -> Values:
    """One of these texts; which of them it may be is checked where they are looked up."""
    return Values(text, ", ".join(names), Notation.CHOICE, names)
