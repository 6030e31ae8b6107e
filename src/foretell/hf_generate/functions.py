"""Users' functions in transformers' shape → foretell's.

Each is called with one row at a time, its padding put back: `(1, length)` ids, `(1, vocab_size)`
scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.config import GenerationConfig
from foretell.config.settings import SETTINGS
from foretell.decoding.functions import read_function
from foretell.decoding.processors.base import History
from foretell.decoding.processors.custom import UserProcessor
from foretell.decoding.processors.masks import PrefixAllowed
from foretell.decoding.stopping import StoppingCriteria
from foretell.errors import ConfigError
from foretell.hf_generate.fields import CRITERIA_FIELDS, PROCESSOR_FIELDS
from foretell.hf_generate.inputs import Row
from foretell.text.detokenizer import Detokenizer
from foretell.text.stops import StopMatcher
from foretell.utils.arrays import Logits
from foretell.utils.tensors import Arrays

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

OnRow = Callable[[Logits, History], None]
Ends = Callable[[Sequence[int]], bool]
"""From all ids that were generated to whether the text ends with the last one."""


def function_list(name: str, value: Any) -> list[Callable[..., Any]]:
    """The functions of a LogitsProcessorList, a StoppingCriteriaList or any list."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(callable(one) for one in value):
        raise ConfigError(f"{name} is {type(value).__name__}: must be a list of functions")
    for function in value:
        read_function(name, function, is_transformers=True)
    return [*value]


def adapted(
    processor: Callable[..., Any], config: GenerationConfig, row: Row, arrays: Arrays
) -> OnRow:
    """A transformers LogitsProcessor as a function on one row."""
    return UserProcessor(
        processor,
        may_break=config.remove_invalid_values,
        is_transformers=True,
        arrays=arrays,
        padding=row.padding,
    )


def allowed_tokens(function: Callable[..., Any], row: Row, arrays: Arrays, batch_id: int) -> OnRow:
    """A `prefix_allowed_tokens_fn(batch_id, ids)` as a function on one row.

    The batch id is the row's index among the prompts, for all its samples and beams, as in
    transformers from 5.24 on.
    """
    return PrefixAllowed(
        function, batch_id, is_transformers=True, arrays=arrays, padding=row.padding
    )


def suppress_second(ids: Sequence[int]) -> OnRow:
    """Rule ids out as the second token: the first is a forced one."""

    def suppress(logits: Logits, history: History) -> None:
        if len(history.tokens) == history.num_prompt_tokens + 1:
            logits[[*ids]] = -np.inf

    return suppress


def with_functions(
    config: GenerationConfig, stages: Mapping[str, Sequence[OnRow]], last: Sequence[OnRow]
) -> GenerationConfig:
    """The same settings with functions in the chain: instead of some stages, and at its end."""
    if not stages and not last:
        return config
    chain: list[str | OnRow] = []
    for name in config.rules.order:
        chain += stages.get(name, [name])
    neutral = GenerationConfig()
    replaced = {name: getattr(neutral, name) for name in stages}
    return config.override(**replaced, processors=[*chain, *last])


def stages_of(
    processors: Sequence[Callable[..., Any]], config: GenerationConfig, row: Row, arrays: Arrays
) -> dict[str, list[OnRow]]:
    """Processors by the stage whose place they take: that of their own kind, if it is on."""
    stages: dict[str, list[OnRow]] = {}
    for processor in processors:
        name = PROCESSOR_FIELDS.get(type(processor).__name__)
        least = name in ("min_length", "min_new_tokens") and _is_on(config, "min_new_tokens")
        if name == "guidance_scale" or least:
            raise ConfigError(
                f"logits_processor has a {type(processor).__name__}, which cannot be honoured: "
                f"set {name}, and nothing beside"
            )
        stage = name if name is not None and _is_on(config, name) else "logits_processor"
        stages.setdefault(stage, []).append(adapted(processor, config, row, arrays))
    return stages


def _is_on(config: GenerationConfig, name: str) -> bool:
    value = getattr(config, name)
    return value != () and not SETTINGS[name].is_off_at(value)


def length_of(criteria: Sequence[Callable[..., Any]]) -> int | None:
    """What a MaxLengthCriteria says, if there is one; it wins over other lengths."""
    found = [one for one in criteria if type(one).__name__ == "MaxLengthCriteria"]
    return int(found[-1].max_length) if found else None  # type: ignore[attr-defined]


def refuse_double(criteria: Sequence[Callable[..., Any]], value_of: Callable[[str], Any]) -> None:
    """Raise ConfigError for criteria that transformers takes instead of a setting."""
    for one in criteria:
        name = CRITERIA_FIELDS.get(type(one).__name__)
        if name is not None and value_of(name) is not None:
            raise ConfigError(
                f"stopping_criteria has a {type(one).__name__} beside "
                f"{name}={value_of(name)!r}: drop one"
            )


def criteria_end(
    criteria: Sequence[Callable[..., Any]],
    row: Row,
    arrays: Arrays,
    scores: Callable[[], Any],
) -> Ends:
    """Whether any of transformers' StoppingCriteria says so; `scores` gives the second argument."""

    says = StoppingCriteria(criteria, row.whole, is_transformers=True, arrays=arrays, scores=scores)
    return lambda generated: says("", generated)


def text_ends(strings: Sequence[str], tokenizer: Tokenizer, row: Row) -> Ends:
    """Whether one of the strings ends with the last token; it may begin in the prompt.

    Only as many tokens are read as could make the longest string: the ones before were read when
    they came.
    """
    reach = 4 * max(len(text) for text in strings) + 1  # UTF-8 has at most 4 bytes a character
    tail = row.ids[-reach:]

    def ends(generated: Sequence[int]) -> bool:
        detokenizer = Detokenizer(tokenizer, skip_special_tokens=False, continuation=True)
        matcher = StopMatcher(strings)
        *before, last = [*tail, *generated][-reach:]
        for token in before:
            matcher.push(_piece(detokenizer, token, tokenizer), acts=False)
        matcher.push(_piece(detokenizer, last, tokenizer))
        return matcher.match is not None

    return ends


def _piece(detokenizer: Detokenizer, token: int, tokenizer: Tokenizer) -> str:
    """The token's text; a model may have more ids than its tokenizer."""
    return detokenizer.push(token) if token < tokenizer.vocab_size else ""
