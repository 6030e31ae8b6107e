"""Settings that name texts, turned into ids for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.config import GenerationConfig
from foretell.config.settings import TOKEN_IDS_OF
from foretell.config.validators import text_of
from foretell.decoding.context import Breakers
from foretell.errors import ConfigError
from foretell.text.reasoning import BEGIN, END
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

DRY_BREAKERS = ("\n", ":", '"', "*")  # llama.cpp's
NO_BREAKERS: Breakers = {}


@dataclass(frozen=True)
class TokenizedSettings:
    """Settings without texts, and what else a request takes from them.

    Attributes:
        config: the settings; the user's own object where they name no texts.
        changes: the settings that differ from the user's.
        eos_token_ids: ids that end a text.
        is_guided: whether a negative prompt is needed.
        negative_prompt: None where the settings give none.
        dry_breakers: where DRY stops looking back.
    """

    config: GenerationConfig
    changes: Mapping[str, Any]
    eos_token_ids: frozenset[int]
    is_guided: bool
    negative_prompt: list[int] | None
    dry_breakers: Breakers

    def of(self, config: GenerationConfig) -> GenerationConfig:
        """The same for the user's settings with another seed."""
        return config.override(**self.changes) if self.changes else config

    def negative_prompt_of(self, prompt: Sequence[int]) -> list[int] | None:
        """What guidance pulls away from; by default the prompt's last token, as in transformers."""
        if not self.is_guided or self.negative_prompt is not None:
            return self.negative_prompt
        return list(prompt[-1:])


def refuse_foreign_ids(config: GenerationConfig, vocab_size: int) -> None:
    """Raise ConfigError for a token id that the settings state and the vocabulary lacks."""
    for name, value in config.stated.items():
        find = TOKEN_IDS_OF.get(name)
        for token_id in find(value) if find else ():
            if token_id >= vocab_size:
                raise ConfigError(
                    f"{name} has the token id {token_id}: must be below the vocabulary size "
                    f"{vocab_size}"
                )


def without_foreign_ids(config: GenerationConfig, vocab_size: int) -> GenerationConfig:
    """The settings of a model's own files, without token ids that its vocabulary lacks."""
    known: dict[str, Any] = {}
    for name, value in config.stated.items():
        if isinstance(value, tuple) and name in TOKEN_IDS_OF:
            kept = tuple(token_id for token_id in value if token_id < vocab_size)
            known[name] = kept or None
    return config.override(**known)


def tokenize_settings(
    config: GenerationConfig,
    tokenizer: Tokenizer,
    find_breakers: Callable[[tuple[str, ...]], Breakers],
) -> TokenizedSettings:
    """The settings in ids. A bad word is also looked for with a space before it.

    `find_breakers` finds where DRY is to stop, from the texts that break a sequence.
    """
    stated = config.eos_token_id
    changes = _changes(config, tokenizer)
    breakers = NO_BREAKERS
    if config.dry_multiplier:
        texts = config.dry_sequence_breakers
        breakers = find_breakers(DRY_BREAKERS if texts is None else tuple(texts))
    return TokenizedSettings(
        config=config.override(**changes) if changes else config,
        changes=changes,
        eos_token_ids=tokenizer.eos_token_ids if stated is None else frozenset(_items(stated)),
        is_guided=config.guidance_scale not in (None, 1),
        negative_prompt=_negative_prompt(config, tokenizer),
        dry_breakers=breakers,
    )


def unseen_stops(config: GenerationConfig, tokenizer: Tokenizer) -> list[str]:
    """A sentence on each stop string with a control token in it, which adds nothing to a text."""
    found = {
        text: name
        for text in config.stop
        for name in tokenizer.control_names
        if name in text and name != text
    }
    return [
        f"stop={quote(text)} is found only where {quote(name)} is spelled out as text, since the "
        f"token adds no text: stop at the token itself with stop={quote(name)}"
        for text, name in found.items()
    ]


def _changes(config: GenerationConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    """The settings that name texts, in ids."""
    changes: dict[str, Any] = {}
    if config.bad_words is not None:
        changes |= _banned(config, tokenizer)
    if config.logit_bias and any(isinstance(key, str) for key in config.logit_bias):
        changes |= _biases(config, tokenizer, changes.get("processors", config.processors))
    if config.force_words is not None:
        changes["force_words"] = [_alternatives(word, tokenizer) for word in config.force_words]
    if config.stop:
        changes |= _stops(config, tokenizer)
    if config.allow_thinking and {BEGIN, END} & {*tokenizer.control_names}:
        changes["show_special_tokens"] = True  # or nobody could tell thoughts from the answer
    return changes


def _banned(config: GenerationConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    banned = list(_items(config.bad_words_ids))
    for word in config.bad_words or ():
        banned += _spellings(word, tokenizer)
    changes: dict[str, Any] = {"bad_words": None, "bad_words_ids": banned}
    if config.processors is not None:
        names = ["bad_words_ids" if x == "bad_words" else x for x in config.processors]
        changes["processors"] = names
    return changes


def _spellings(word: str, tokenizer: Tokenizer) -> list[tuple[int, ...]]:
    """A word's ids in the middle of a text, behind a space and without one."""
    texts = (word, " " + word.lstrip(" "))
    ids = (_ids(text, tokenizer, continuation=True) for text in texts)
    return list(dict.fromkeys(map(tuple, ids)))


def _alternatives(word: Iterable[Any], tokenizer: Tokenizer) -> list[tuple[int, ...]]:
    """The ways of writing a word, in ids."""
    found: list[tuple[int, ...]] = []
    for one in word:
        found += _spellings(one, tokenizer) if isinstance(one, str) else [one]
    return found


def _stops(config: GenerationConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    """A stop that names a control token, which has no text, is a stop at that token."""
    found: list[int] = []
    for text in config.stop:
        spelled = _ids(text, tokenizer)
        if len(spelled) == 1 and tokenizer.is_special(spelled[0]):
            found += spelled
    return {"stop_token_ids": [*_items(config.stop_token_ids), *found]} if found else {}


def _biases(
    config: GenerationConfig, tokenizer: Tokenizer, processors: Iterable[Any] | None
) -> dict[str, Any]:
    """A text of several tokens is a sequence; in llama.cpp each of its tokens has the bias."""
    single: dict[int | str, float] = {}
    several = dict(config.sequence_bias or {})
    for key, bias in (config.logit_bias or {}).items():
        ids = (key,) if isinstance(key, int) else tuple(_ids(text_of(key), tokenizer))
        if len(ids) == 1 or config.rules.name == "llama.cpp":
            single |= dict.fromkeys(ids, bias)
        else:
            several[ids] = bias
    changes: dict[str, Any] = {"logit_bias": single or None, "sequence_bias": several or None}
    names = [*(processors or ())]
    if several and processors is not None and "sequence_bias" not in names:
        names.insert(names.index("logit_bias"), "sequence_bias")
        changes["processors"] = names
    return changes


def _negative_prompt(config: GenerationConfig, tokenizer: Tokenizer) -> list[int] | None:
    if config.guidance_scale in (None, 1) or config.negative_prompt is None:
        return None
    if isinstance(config.negative_prompt, str):
        return tokenizer.encode(config.negative_prompt)
    return list(config.negative_prompt)


def _ids(text: str, tokenizer: Tokenizer, *, continuation: bool = False) -> list[int]:
    return tokenizer.encode(
        text, add_special_tokens=False, parse_special=True, continuation=continuation
    )


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(value or ()) if not isinstance(value, int) else (value,)
