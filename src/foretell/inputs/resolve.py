"""Settings that name texts, turned into ids for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.config import GenerationConfig
from foretell.decoding.context import Breakers
from foretell.text.dry_breakers import find_breakers

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

DRY_BREAKERS = ("\n", ":", '"', "*")  # llama.cpp's


@dataclass(frozen=True)
class TokenizedSettings:
    """Settings without texts, and what else a request takes from them.

    `negative_prompt` is None where the settings give none, `is_guided` whether one is needed.
    """

    config: GenerationConfig
    eos_token_ids: frozenset[int]
    is_guided: bool
    negative_prompt: list[int] | None
    dry_breakers: Breakers

    def negative_prompt_of(self, prompt: Sequence[int]) -> list[int] | None:
        """What guidance pulls away from; by default the prompt's last token, as in transformers."""
        if not self.is_guided or self.negative_prompt is not None:
            return self.negative_prompt
        return list(prompt[-1:])


class SettingsTokenizer:
    """Reads settings with one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._breakers: dict[tuple[str, ...], Breakers] = {}

    def resolve(self, config: GenerationConfig) -> TokenizedSettings:
        """The settings in ids. A bad word is also looked for with a space before it."""
        stated = config.eos_token_id
        eos = self._tokenizer.eos_token_ids if stated is None else frozenset(_items(stated))
        return TokenizedSettings(
            config=config.override(**self._changes(config), stop_token_ids=self._stop_ids(config)),
            eos_token_ids=eos,
            is_guided=config.guidance_scale not in (None, 1),
            negative_prompt=self._negative_prompt(config),
            dry_breakers=self._dry_breakers(config),
        )

    def _changes(self, config: GenerationConfig) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if config.bad_words is not None:
            banned = list(_items(config.bad_words_ids))
            for word in config.bad_words:
                banned += self._spellings(word)
            changes = {"bad_words": None, "bad_words_ids": banned}
            if config.processors is not None:
                names = ["bad_words_ids" if x == "bad_words" else x for x in config.processors]
                changes["processors"] = names
        if any(isinstance(key, str) for key in config.logit_bias or ()):
            changes |= self._biases(config)
        return changes

    def _stop_ids(self, config: GenerationConfig) -> list[int]:
        """A stop that names a control token, which has no text, is a stop at that token."""
        ids = list(_items(config.stop_token_ids))
        for text in config.stop:
            spelled = self._ids(text)
            if len(spelled) == 1 and self._tokenizer.is_special(spelled[0]):
                ids += spelled
        return ids

    def _spellings(self, word: str) -> list[tuple[int, ...]]:
        texts = (word, " " + word.lstrip(" "))
        return list(dict.fromkeys(tuple(self._ids(text)) for text in texts))

    def _biases(self, config: GenerationConfig) -> dict[str, Any]:
        """A text of several tokens is a sequence; in llama.cpp each of its tokens has the bias."""
        single: dict[int | str, float] = {}
        several = dict(config.sequence_bias or {})
        for key, bias in (config.logit_bias or {}).items():
            ids = (key,) if isinstance(key, int) else tuple(self._ids(key))
            if len(ids) == 1 or config.rules.name == "llama.cpp":
                single |= dict.fromkeys(ids, bias)
            else:
                several[ids] = bias
        changes: dict[str, Any] = {"logit_bias": single or None, "sequence_bias": several or None}
        if several and config.processors is not None and "sequence_bias" not in config.processors:
            at = list(config.processors).index("logit_bias")
            names = [*list(config.processors)[:at], "sequence_bias", *list(config.processors)[at:]]
            changes["processors"] = names
        return changes

    def _negative_prompt(self, config: GenerationConfig) -> list[int] | None:
        if config.guidance_scale in (None, 1) or config.negative_prompt is None:
            return None
        if isinstance(config.negative_prompt, str):
            return self._tokenizer.encode(config.negative_prompt)
        return list(config.negative_prompt)

    def _dry_breakers(self, config: GenerationConfig) -> Breakers:
        if not config.dry_multiplier:
            return {}
        stated = config.dry_sequence_breakers
        texts = DRY_BREAKERS if stated is None else tuple(stated)
        if texts not in self._breakers:
            self._breakers[texts] = find_breakers(self._tokenizer, texts)
        return self._breakers[texts]

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False, parse_special=True)


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(value or ()) if not isinstance(value, int) else (value,)
