"""Masks: which tokens are possible at all.

A mask that would leave no token possible raises NumericalError, naming its setting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.functions import ids_of, read_function
from foretell.decoding.processors.base import History, Processor
from foretell.decoding.processors.builders import Builder, texts_left
from foretell.decoding.processors.rows import as_ids, check_possible, check_within, rule_out
from foretell.errors import ConfigError
from foretell.utils.arrays import Logits
from foretell.utils.tensors import Arrays, arrays_for_functions


class Endings:
    """Sequences of ids, found by what has just been written of them: all but the last id."""

    def __init__(self, setting: str, sequences: Iterable[Sequence[int]]) -> None:
        self.setting = setting
        self.sequences = [tuple(int(token) for token in sequence) for sequence in sequences]
        if () in self.sequences:
            raise ConfigError(f"{setting} has an empty sequence: each must have a token id")
        self._ids = as_ids(setting, (token for ids in self.sequences for token in ids))
        self._by_previous: dict[int, list[int]] = defaultdict(list)
        for index, sequence in enumerate(self.sequences):
            if len(sequence) > 1:
                self._by_previous[sequence[-2]].append(index)
        self._singles = [index for index, ids in enumerate(self.sequences) if len(ids) == 1]

    def begun(self, row: Logits, history: History) -> list[int]:
        """Places of the sequences that lack only their last id: single ids always, then others.

        ConfigError if any id lies beyond the row's vocabulary.
        """
        check_within(self.setting, self._ids, row)
        tokens = history.tokens
        candidates = self._by_previous.get(tokens[-1], []) if tokens else []
        return self._singles + [
            index for index in candidates if _ends_with(tokens, self.sequences[index][:-1])
        ]


def _ends_with(tokens: Sequence[int], ids: tuple[int, ...]) -> bool:
    return len(ids) <= len(tokens) and tuple(tokens[len(tokens) - len(ids) :]) == ids


class BadWords:
    """No sequence of these is completed: its last id is ruled out once the others are written.

    A single id is always ruled out. transformers' `bad_words_ids`; prompt and output both count.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._endings = Endings("bad_words", sequences)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out the last id of what is about to be written."""
        indices = self._endings.begun(row, history)
        last = [self._endings.sequences[index][-1] for index in indices]
        rule_out(row, np.array(last, dtype=np.int64), "bad_words")


class AllowedTokens:
    """Only these ids are possible (vLLM's `allowed_token_ids`)."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids = as_ids("allowed_token_ids", ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out all other ids."""
        check_within("allowed_token_ids", self._ids, row)
        kept = row[self._ids]
        row.fill(-np.inf)
        row[self._ids] = kept
        check_possible(row, "allowed_token_ids")


class SuppressTokens:
    """These ids are never possible (transformers' `suppress_tokens`)."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids = as_ids("suppress_tokens", ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule the ids out."""
        check_within("suppress_tokens", self._ids, row)
        rule_out(row, self._ids, "suppress_tokens")


class BeginSuppress:
    """These ids are not possible as the first generated token (`begin_suppress_tokens`)."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids = as_ids("begin_suppress_tokens", ids)

    def __call__(self, row: Logits, history: History) -> None:
        """Rule the ids out, if nothing was generated yet."""
        check_within("begin_suppress_tokens", self._ids, row)
        if len(history.tokens) == history.num_prompt_tokens:
            rule_out(row, self._ids, "begin_suppress_tokens")


class PrefixAllowed:
    """Only the ids that a function names, given all ids so far (De Cao et al. 2021, GENRE).

    `function(ids)` has them as a list, transformers' `function(batch_id, input_ids)` as a tensor
    where torch has been imported, else as an array. Where earlier processors have ruled out every
    one of them, they become equally likely, as in transformers: the function has the last word.
    ConfigError if it names none, or one that is not in the vocabulary.

    Args:
        function: the user's.
        batch_id: which of a list's prompts this is.
        is_transformers: whether it has transformers' form, where that is known.
        arrays: what makes the arrays that transformers' form is given.
        padding: ids that stand before the prompt's there.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        batch_id: int = 0,
        *,
        is_transformers: bool | None = None,
        arrays: Arrays | None = None,
        padding: Sequence[int] = (),
    ) -> None:
        setting = "prefix_allowed_tokens_fn"
        self._user = read_function(setting, function, is_transformers=is_transformers)
        self._batch_id = batch_id
        self._arrays = arrays
        self._padding = padding

    def __call__(self, row: Logits, history: History) -> None:
        """Rule out all other ids."""
        ids = ids_of(self._user, self._named([*self._padding, *history.tokens]), len(row))
        kept = row[ids]
        row.fill(-np.inf)
        row[ids] = kept if kept.max() > -np.inf else 0.0

    def _named(self, tokens: list[int]) -> Any:
        if not self._user.is_transformers:
            return self._user.call(tokens)
        arrays = self._arrays or arrays_for_functions()
        return self._user.call(self._batch_id, arrays.ids(tokens))


def _bad_words(words: Any, config: GenerationConfig, context: ChainContext) -> Processor:
    raise texts_left("bad_words")


BUILDERS: dict[str, Builder] = {
    "bad_words": _bad_words,
    "bad_words_ids": lambda sequences, *_: BadWords(sequences) if sequences else None,
    "allowed_token_ids": lambda ids, *_: AllowedTokens(ids),
    "suppress_tokens": lambda ids, *_: SuppressTokens(ids) if ids else None,
    "begin_suppress_tokens": lambda ids, *_: BeginSuppress(ids) if ids else None,
    "prefix_allowed_tokens_fn": lambda function, _, context: PrefixAllowed(
        function, context.prompt_index
    ),
}
