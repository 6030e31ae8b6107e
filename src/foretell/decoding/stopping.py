"""When a sequence has ended, by ids and limits.

Texts, regular expressions and the user's predicates are looked at where text is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.validators import RepetitionDetection
from foretell.decoding.context import FormMatchers
from foretell.decoding.functions import functions_of, read_function, verdict_of
from foretell.decoding.processors.base import History
from foretell.outputs import StopReason
from foretell.utils.tensors import Arrays, arrays_for_functions


class StopRules:
    """The rules of one request; its clock starts when they are made.

    Args:
        config: the settings in force.
        eos_token_ids: the model's end-of-sequence ids, unless the settings name others.
        max_length: positions that the sequence may come to take.
        matchers: of the language that the text is held to, if it is held to one.
    """

    def __init__(
        self,
        config: GenerationConfig,
        eos_token_ids: frozenset[int],
        max_length: int,
        matchers: FormMatchers | None = None,
    ) -> None:
        self._config = config
        self._eos_token_ids = frozenset() if config.ignore_eos else eos_token_ids
        self._stop_token_ids = frozenset(config.stop_token_ids)
        detection = config.repetition_detection
        self._detection = detection if isinstance(detection, RepetitionDetection) else None
        self._max_length = max_length
        self._matchers = matchers
        self._started = perf_counter()

    def check(self, history: History) -> StopReason | None:
        """The rule that the sequence's last token fires, if any."""
        last = history.tokens[-1]
        if last in self._eos_token_ids:
            return StopReason("eos", last)
        if last in self._stop_token_ids:
            return StopReason("token", last)
        if self._matchers is not None and self._matchers.at(history).has_ended:
            return StopReason("grammar")
        loop = None if self._detection is None else self._loop(history, self._detection)
        return loop or self._limit(history)

    def _loop(self, history: History, detection: RepetitionDetection) -> StopReason | None:
        reach = detection.max_pattern_size * detection.min_count
        start = max(history.num_prompt_tokens, len(history.tokens) - reach)
        size = repeated_pattern(history.tokens[start:], detection)
        return None if size is None else StopReason("loop", size)

    def _limit(self, history: History) -> StopReason | None:
        config, length = self._config, len(history.tokens)
        num_new = length - history.num_prompt_tokens
        if config.max_new_tokens is not None and num_new >= config.max_new_tokens:
            return StopReason("max_new_tokens", config.max_new_tokens)
        if config.max_length is not None and length >= config.max_length:
            return StopReason("max_length", config.max_length)
        if length >= self._max_length:
            return StopReason("context", self._max_length)
        if config.max_time is not None and perf_counter() - self._started >= config.max_time:
            return StopReason("max_time", config.max_time)
        return None


class StoppingCriteria:
    """The user's predicates on one text: `f(text, ids)`, or transformers' `f(input_ids, scores)`.

    All are asked each time, so that they may count. transformers' get the prompt's ids and those
    generated, `(1, length)`, tensors where torch has been imported. ConfigError if one says
    neither True nor False.

    Args:
        functions: the user's, one or several.
        prompt: ids of the prompt, and of what stands before it.
        is_transformers: whether they have transformers' form, where that is known.
        arrays: what makes the arrays that transformers' form is given.
        scores: gives the scores so far, where they are kept.
    """

    def __init__(
        self,
        functions: Callable[..., Any] | Iterable[Callable[..., Any]],
        prompt: Sequence[int],
        *,
        is_transformers: bool | None = None,
        arrays: Arrays | None = None,
        scores: Callable[[], Any] = lambda: None,
    ) -> None:
        self._users = [
            read_function("stopping_criteria", function, is_transformers=is_transformers)
            for function in functions_of(functions)
        ]
        self._prompt = prompt
        self._arrays = arrays
        self._scores = scores

    def __call__(self, text: str, generated: Sequence[int]) -> bool:
        """Whether one of them says that the text ends."""
        verdicts = []
        for user in self._users:
            if user.is_transformers:
                result = user.call(self._ids(generated), self._scores())
            else:
                result = user.call(text, [*generated])
            verdicts.append(verdict_of(user, result))
        return any(verdicts)

    def _ids(self, generated: Sequence[int]) -> Any:
        arrays = self._arrays or arrays_for_functions()
        return arrays.ids([[*self._prompt, *generated]])


def repeated_pattern(tokens: Sequence[int], detection: RepetitionDetection) -> int | None:
    """The size of the shortest pattern that the tokens end with `min_count` times in a row."""
    for size in range(detection.min_pattern_size, detection.max_pattern_size + 1):
        reach = size * detection.min_count
        if reach > len(tokens):
            return None
        tail = tokens[-reach:]
        if tail[size:] == tail[:-size]:
            return size
    return None
