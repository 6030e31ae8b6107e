"""Settings that are not plain numbers: what is accepted, and the one form that is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from foretell.config import plain
from foretell.config.choices import LAYER_GROUPS, LOGPROB_STAGES, NEVER, SCOPE_NAMES
from foretell.config.ranges import FINITE, MAX_COUNT, TOKEN_ID, Range
from foretell.errors import ConfigError
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

BAN = "-inf"
"""A bias of minus infinity, as JSON can spell it."""

MAX_DIGITS = 19
"""A text of more digits is no token id."""


PATTERN_SIZE = Range(int, 1, 10_000, "tokens")
LAYER = Range(int, 0, math.inf, "a layer")
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


SEEDING_SCHEMES = ("lefthash", "selfhash")
WATERMARK_NUMBERS = {
    "greenlist_ratio": Range(float, 0.0, 1.0, "the green tokens' share", open_low=True),
    "bias": Range(float, -FINITE, FINITE, "what a green token's logit gains"),
    "hashing_key": Range(int, 0, 2**63 - 1, "a secret"),
    "context_width": Range(int, 1, 10_000, "tokens that green ones depend on"),
}


@dataclass(frozen=True)
class Watermark:
    """A mark that statistics can find: some tokens, chosen anew at each place, are likelier.

    The names, the values where none are given and the tokens are those of transformers'
    WatermarkingConfig.

    Attributes:
        greenlist_ratio: the green tokens' share of the vocabulary.
        bias: what their logits gain.
        hashing_key: which tokens they are depends on it: whoever knows it finds the mark.
        seeding_scheme: "lefthash": they depend on the token before; "selfhash": on the token itself
            too.
        context_width: tokens that they depend on, with "selfhash".
    """

    greenlist_ratio: float = 0.25
    bias: float = 2.0
    hashing_key: int = 15485863
    seeding_scheme: str = "lefthash"
    context_width: int = 1

    def __post_init__(self) -> None:
        for name, span in WATERMARK_NUMBERS.items():
            object.__setattr__(self, name, span.check(name, getattr(self, name)))
        if self.greenlist_ratio == 1:
            raise ConfigError("greenlist_ratio=1 marks nothing: must be below 1")
        if self.seeding_scheme not in SEEDING_SCHEMES:
            schemes = " or ".join(map(repr, SEEDING_SCHEMES))
            raise ConfigError(f"seeding_scheme={quote(self.seeding_scheme)} must be {schemes}")


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


def layers(name: str, value: Any) -> str | tuple[int, ...]:
    """ "low", "high" or numbers of layers."""
    found = plain.string(value)
    if found in LAYER_GROUPS:
        return found
    numbers = None if found is not None else plain.items(value)
    if not numbers:
        groups = " or ".join(map(repr, LAYER_GROUPS))
        raise wrong(name, value, f"{groups}, or a list of layers by their numbers from 0")
    return tuple(int(LAYER.check(name, one)) for one in numbers)


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
    if has_surrogate("\n".join(filter(None, texts))):
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


MAX_WORDS = 256
"""Words to be written, all alternatives counted."""

Word = tuple[str | tuple[int, ...], ...]


def forced_words(name: str, value: Any) -> tuple[Word, ...]:
    """Words that a text must have, each as its alternatives: texts, or sequences of token ids."""
    one = plain.string(value)
    found = plain.items(value) if one is None else (one,)
    if not found or any(plain.integer(item) is not None for item in found):
        form = "texts or lists of token ids, each in a list of its own if it has alternatives"
        raise wrong(name, value, f"a list of {form}")
    words = tuple(_word(name, item) for item in found[: MAX_WORDS + 1])
    number = sum(map(len, words))
    if number > MAX_WORDS:
        raise ConfigError(
            f"{name} has {number} alternatives or more: must have {MAX_WORDS} at most"
        )
    return words


def _word(name: str, value: Any) -> Word:
    """The alternatives of one word: a text, ids, or several of these."""
    items = plain.items(value)
    if items is not None and all(plain.integer(item) is not None for item in items):
        items = (items,)
    several = (value,) if items is None else items
    return tuple(dict.fromkeys(_alternative(name, item) for item in several))


def _alternative(name: str, value: Any) -> str | tuple[int, ...]:
    if plain.string(value) is not None:
        return strings(name, value)[0]
    kept = () if plain.integer(value) is not None else token_ids(name, value)
    if not kept:
        raise wrong(name, value, "a text or a list of token ids, not empty")
    return kept


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


def watermark(name: str, value: Any) -> Watermark | None:
    """True, a `Watermark`, or a dict of its fields; False is off."""
    if isinstance(value, Watermark):
        return value
    found = plain.boolean(value)
    if found is not None:
        return Watermark() if found else None
    try:
        return Watermark(**value)
    except TypeError as error:
        fields = ", ".join(one.name for one in dataclass_fields(Watermark))
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
