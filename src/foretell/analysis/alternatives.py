"""What else could have stood at a position, and where each of these tokens leads.

print(llm.alternatives("The cat sat on the", top=3))
print(llm.alternatives(output, 4))  # in place of the fifth generated token
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from foretell.analysis.probabilities import check_count
from foretell.analysis.tasks import Analysis, GenerationTask, ReadPrompt
from foretell.config import GenerationConfig
from foretell.config.plain import integer
from foretell.errors import RequestError
from foretell.inputs.prompts import Prompt
from foretell.outputs import FinishReason, GenerationOutput, JsonMixin, TokenLogprob
from foretell.utils.display import pad, show_probability, show_text, show_token, width_of
from foretell.utils.html import frame, plain_flow, table
from foretell.utils.quoting import quote

MAX_COLUMNS = 100  # of a line
MAX_TOKEN = 18  # columns for a token


@dataclass(frozen=True, repr=False)
class Alternative(JsonMixin):
    """A token that could stand at the position, and the text that greedy decoding goes on with.

    `logprob` and `rank` are the raw model's. `text` and `token_ids` begin with the token.
    `is_chosen` says whether it is the one that stands there.
    """

    token_id: int
    token: str
    bytes: bytes
    logprob: float
    rank: int
    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    is_chosen: bool = False


@dataclass(frozen=True, repr=False)
class Alternatives(JsonMixin):
    """The likeliest tokens at one position of a text; `str()` lists them.

    Attributes:
        prompt, prompt_token_ids: what stands before the position.
        position: as it was asked for.
        chosen_token_id: the token that stands there; None at the end of the text.
        alternatives: likeliest first.
    """

    prompt: str
    prompt_token_ids: list[int]
    position: int
    chosen_token_id: int | None
    alternatives: list[Alternative]

    def __str__(self) -> str:
        return "\n".join(_lines(self.prompt, self.alternatives))

    def _repr_html_(self) -> str:
        headings = ("", "rank", "probability", "token", "greedy decoding goes on")
        rows = map(_cells, self.alternatives)
        notes = ["→ stands there"] if self.chosen_token_id is not None else []
        texts = table(headings, rows, left=(0, 3), wide=(4,))
        return frame(plain_flow(self.prompt, ""), texts, notes=notes)


@dataclass(frozen=True)
class _Fork:
    """A position of a text: the ids before it, their text if it is known, and the id there."""

    token_ids: list[int]
    text: str | None
    position: int
    chosen: int | None


def alternatives(
    read: ReadPrompt,
    prompt: Prompt | GenerationOutput,
    position: int | None,
    top: int,
    max_new_tokens: int,
) -> Analysis[Alternatives]:
    """The likeliest tokens at a position, and a short greedy continuation from each.

    Args:
        read: reads and checks the prompt.
        prompt: text or token ids; or an output, whose prompt then stands before all positions.
        position: counts the tokens of a prompt, or the generated ones of an output, from 0; None
            for the end.
        top: how many tokens.
        max_new_tokens: tokens of each continuation, the first one included.

    Raises:
        ConfigError: `top` or `max_new_tokens` is below 1.
        RequestError: there is no such position, or the texts cannot fit.
    """
    check_count("top", top, 1)
    check_count("max_new_tokens", max_new_tokens, 1, "tokens of each continuation")
    config = GenerationConfig(max_new_tokens=max_new_tokens)
    fork = _find(read, prompt, position)
    first = config.override(max_new_tokens=1, logprobs=top)
    (shown,) = yield [GenerationTask(fork.token_ids, first)]
    tokens = (shown.logprobs or [])[0].top
    outputs = yield [
        GenerationTask(fork.token_ids, config.override(forced_bos_token_id=token.token_id))
        for token in tokens
    ]
    return Alternatives(
        prompt=shown.prompt if fork.text is None else fork.text,
        prompt_token_ids=fork.token_ids,
        position=fork.position,
        chosen_token_id=fork.chosen,
        alternatives=[
            _alternative(token, output, is_chosen=token.token_id == fork.chosen)
            for token, output in zip(tokens, outputs, strict=True)
        ],
    )


def _find(read: ReadPrompt, prompt: Prompt | GenerationOutput, position: int | None) -> _Fork:
    """The position in the text; RequestError if it has none such."""
    if isinstance(prompt, GenerationOutput):
        text, before, after = prompt.prompt, prompt.prompt_token_ids, prompt.token_ids
        index = _check_position(position, 0, len(after))
        known = text if index == 0 else None
    else:
        text, after = read(prompt)
        before = []
        index = _check_position(position, 1, len(after))
        known = text if index == len(after) else None
    chosen = after[index] if index < len(after) else None
    return _Fork([*before, *after[:index]], known, index, chosen)


def _check_position(position: int | None, first: int, end: int) -> int:
    index = end if position is None else integer(position)
    if index is None or not first <= index <= end:
        raise RequestError(f"position {quote(position)} is out of range: must be {first} to {end}")
    return index


def _alternative(token: TokenLogprob, output: GenerationOutput, *, is_chosen: bool) -> Alternative:
    return Alternative(
        token_id=token.token_id,
        token=token.token,
        bytes=token.bytes,
        logprob=token.logprob if token.logprob is not None else -math.inf,
        rank=token.rank or 1,
        text=output.text,
        token_ids=output.token_ids,
        finish_reason=output.finish_reason,
        is_chosen=is_chosen,
    )


def _cells(one: Alternative) -> tuple[str, ...]:
    odds = show_probability(math.exp(one.logprob))
    mark = "→" if one.is_chosen else ""
    return (mark, str(one.rank), odds, show_token(one.token), show_text(one.text))


def _lines(prompt: str, found: list[Alternative]) -> Iterator[str]:
    columns = min(MAX_TOKEN, max(width_of(show_token(one.token)) for one in found))
    yield pad(show_text(prompt), MAX_COLUMNS).rstrip()
    for one in found:
        mark = "→" if one.is_chosen else " "
        odds = show_probability(math.exp(one.logprob))
        start = f"{mark} {one.rank:>3} {odds:>8}  {pad(show_token(one.token), columns)}  "
        yield start + pad(show_text(one.text), MAX_COLUMNS - len(start)).rstrip()
