"""How probable texts are that go on from a context, and whether greedy decoding would write them.

print(llm.score("The cat sat on the", [" mat", " hat"])[0].logprob)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from foretell.analysis.probabilities import check_count
from foretell.analysis.tasks import Analysis, GenerationTask, ReadPrompt
from foretell.config import GenerationConfig
from foretell.config.plain import string, unpacked
from foretell.decoding.logprobs import TokenReport, report
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.prompt_rows import PromptRows
from foretell.errors import ConfigError, RequestError
from foretell.inputs.prompts import Prompt, Prompts, is_batch, read_prompt
from foretell.outputs import ContinuationScore
from foretell.streaming.describe import describe
from foretell.utils.arrays import Logits
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class ScoredSpan:
    """A sequence of tokens, of which the last `num_scored` are to be scored: all but one at most.

    The last token is not computed: what it would lead to is of no interest.
    """

    token_ids: Sequence[int]
    num_scored: int

    @property
    def computed(self) -> tuple[int, ...]:
        """The tokens that are."""
        return tuple(self.token_ids[:-1])

    @property
    def context(self) -> Sequence[int]:
        """The tokens before those to be scored."""
        return self.token_ids[: -self.num_scored]

    @property
    def scored(self) -> Sequence[int]:
        """The tokens to be scored."""
        return self.token_ids[-self.num_scored :]


@dataclass
class SpanScore:
    """What the model thinks of a span's scored tokens.

    Attributes:
        reports: one a token.
        is_greedy: whether each is the one that greedy decoding would choose.
    """

    reports: list[TokenReport] = field(default_factory=list)
    is_greedy: bool = True

    @property
    def logprob(self) -> float:
        """The sum of the tokens' log-probabilities."""
        return sum(one.chosen.logprob for one in self.reports)

    def add(self, row: Logits, token_id: int, top: int) -> None:
        """Take note of a token, given the logits in its place."""
        self.reports.append(report(row, token_id, top))
        self.is_greedy = self.is_greedy and int(row.argmax()) == token_id


def score_spans(spans: Sequence[ScoredSpan], top: int = 0) -> Analysis[list[SpanScore]]:
    """Score spans, together; of each token with the `top` likeliest ones in its place.

    Logits are computed where a token is to be scored and nowhere else. What spans begin with in
    common is computed once, and spans that differ in the last token alone are one request.
    """
    scores = [SpanScore() for _ in spans]
    groups: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for index, span in enumerate(spans):
        groups.setdefault((span.computed, span.num_scored), []).append(index)
    tasks = []
    for (computed, num_scored), indices in groups.items():
        targets = [(spans[index].scored, scores[index]) for index in indices]
        first = len(computed) - num_scored
        read = partial(_read_rows, first, targets, top)
        extras = {"strategy": LogitsProbe(), "prompt_rows": PromptRows(first, read)}
        tasks.append(GenerationTask(computed, GenerationConfig(), extras=extras))
    if tasks:
        yield tasks
    return scores


def _read_rows(
    first: int,
    targets: Sequence[tuple[Sequence[int], SpanScore]],
    top: int,
    position: int,
    rows: Logits,
) -> None:
    for number, row in enumerate(rows, position - first):
        for scored, score in targets:
            score.add(row, scored[number], top)


def continuations_of(
    top: int | Prompts, continuations: Prompts | None
) -> tuple[Prompts | None, int]:
    """The continuations, and how many tokens to list: the former may stand in the latter's place.

    ConfigError if they stand in both.
    """
    if not isinstance(top, (str, list, tuple)) and getattr(top, "ndim", 0) == 0:
        return continuations, cast(int, top)
    if continuations is not None:
        raise ConfigError(f"top={quote(top)} must be a number where continuations are given")
    return cast(Prompts, top), 0


def one_or_all(
    scores: list[ContinuationScore], continuations: Prompts
) -> ContinuationScore | list[ContinuationScore]:
    """The one score where one continuation was given, and not a list."""
    return scores if is_batch(unpacked(continuations)) else scores[0]


def score_continuations(
    tokenizer: Tokenizer,
    context: Prompt,
    continuations: Prompts,
    top: int = 0,
    *,
    parse_special: bool = False,
) -> Analysis[list[ContinuationScore]]:
    """Score what goes on from a context; see `LLM.score`.

    Args:
        tokenizer: the model's.
        context: text or ids.
        continuations: a text or ids, or a list of such.
        top: how many of the likeliest tokens to list in place of each.
        parse_special: whether special tokens written out in a text count as such.

    Raises:
        ConfigError: `top` is below 0.
        RequestError: a continuation is empty, or cannot follow the context; or both are too long.
    """
    check_count("top", top, 0)
    read = partial(read_prompt, tokenizer=tokenizer, parse_special=parse_special)
    spans = [_span(read, tokenizer, context, one, name) for name, one in _named(continuations)]
    found = yield from score_spans(spans, top)
    return [
        ContinuationScore(
            text=tokenizer.decode(span.scored, skip_special_tokens=False, continuation=True),
            tokens=[describe(one, tokenizer) for one in score.reports],
            logprob=score.logprob,
            num_scored=len(score.reports),
            context=tokenizer.decode(span.context, skip_special_tokens=False),
            is_greedy=score.is_greedy,
        )
        for span, score in zip(spans, found, strict=True)
    ]


def _named(continuations: Prompts) -> Iterator[tuple[str, Prompt]]:
    """Each continuation, and what it is called in messages."""
    continuations = unpacked(continuations)
    if not is_batch(continuations):
        yield "continuations", cast(Prompt, continuations)
        return
    for index, one in enumerate(continuations):
        yield f"continuations[{index}]", one


def _span(
    read: ReadPrompt, tokenizer: Tokenizer, context: Prompt, continuation: Prompt, name: str
) -> ScoredSpan:
    """A context with one of its continuations.

    Two texts are cut as one: where a token lies across both, the continuation begins with it.
    """
    text, before = string(continuation), string(context)
    known = read(context)[1]
    if not known:
        raise RequestError("the context has no tokens: must have at least one")
    if text == "" or (text is None and _has_no_ids(continuation)):
        raise RequestError(f"{name}={quote(continuation)} is empty: must have at least one token")
    if text is None:
        ids = known + read(continuation)[1]
    elif before is None:
        ids = known + tokenizer.encode(text, add_special_tokens=False, continuation=True)
    else:
        ids = read(before + text)[1]
        known = known[: _num_common(known, ids)]
    _check_ids(ids, tokenizer.vocab_size, name)
    if not 0 < len(known) < len(ids):
        raise RequestError(
            f"{name}={quote(continuation)} is one token with all of the context: give the context "
            "more text, or both as token ids"
        )
    return ScoredSpan(ids, len(ids) - len(known))


def _check_ids(ids: Sequence[int], vocab_size: int, name: str) -> None:
    """Raise RequestError for an id that is none; the last one of a span the engine never sees."""
    for token_id in (min(ids), max(ids)):
        if not 0 <= token_id < vocab_size:
            raise RequestError(
                f"the context and {name} have token {quote(token_id)}: must be 0 to "
                f"{vocab_size - 1}"
            )


def _has_no_ids(continuation: Any) -> bool:
    try:
        return len(continuation) == 0
    except TypeError:  # `read` says what it should be
        return False


def _num_common(context_ids: Sequence[int], ids: Sequence[int]) -> int:
    """How many tokens of the context the whole text begins with."""
    pairs = zip(context_ids, ids, strict=False)
    different = (index for index, (one, other) in enumerate(pairs) if one != other)
    return next(different, min(len(context_ids), len(ids)))
