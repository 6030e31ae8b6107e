"""What the model thinks of a text: the next token's distribution, and the score of each token."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from foretell.config import Range
from foretell.config.settings import SETTINGS, Kind
from foretell.decoding.distribution import final_probabilities
from foretell.decoding.logprobs import TokenReport
from foretell.decoding.ranks import top_ids
from foretell.decoding.softmax import entropy, log_softmax
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.sequence import Sequence as TokenSequence
from foretell.errors import ConfigError, RequestError
from foretell.outputs import NextDistribution, NextToken, Score, TokenLogprob
from foretell.streaming.describe import describe
from foretell.streaming.job import Job
from foretell.utils.arrays import Logits
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

T = TypeVar("T")

NOT_FOR_NEXT = tuple(
    name
    for name, row in SETTINGS.items()
    if row.kind in (Kind.RUN, Kind.REPORT, Kind.GUIDANCE)  # guidance takes a second sequence
)
"""Settings that say nothing of the distribution of the next token."""


@dataclass(frozen=True)
class PromptProbe(Generic[T]):
    """A request that looks at a prompt and generates nothing, and the view of what was seen.

    Attributes:
        extras: fields of the request.
        view: from its job, what was reported of the prompt, and the tokenizer to the view.
    """

    extras: Mapping[str, Any]
    view: Callable[[Job, list[TokenReport], Tokenizer], T]


def next_probe(top: int, settings: Mapping[str, Any]) -> PromptProbe[NextDistribution]:
    """Asks for the next token's distribution; ConfigError if `top` or a setting makes no sense."""
    check_count("top", top, 1)
    for name in NOT_FOR_NEXT:
        if name in settings:
            raise ConfigError(
                f"{name}={quote(settings[name])} has no effect on the next token's odds"
            )
    probe = LogitsProbe()

    def view(job: Job, _: list[TokenReport], tokenizer: Tokenizer) -> NextDistribution:
        return next_distribution(job, probe.require_row(), tokenizer, top)

    return PromptProbe({"strategy": probe}, view)


def score_probe(top: int) -> PromptProbe[Score]:
    """Asks for each token's log-probability, with the `top` likeliest; ConfigError below 0."""
    check_count("top", top, 0)

    def view(job: Job, reports: list[TokenReport], tokenizer: Tokenizer) -> Score:
        return score_of(job.prompt, job.request.prompt, reports, tokenizer)

    return PromptProbe({"strategy": LogitsProbe(), "prompt_logprobs": top}, view)


def check_count(name: str, value: int, low: int, what: str = "tokens to list") -> None:
    """Raise ConfigError unless `value`, how many of `what`, is at least `low`."""
    Range(int, low, math.inf, what).check(name, value)


def score_of(
    text: str, token_ids: Sequence[int], reports: Sequence[TokenReport], tokenizer: Tokenizer
) -> Score:
    """The product rule over `reports`, one for each token but the first.

    A beginning-of-sequence token that stands first is not listed. Raises RequestError if there is
    nothing to score.
    """
    if not reports:
        raise RequestError(f"text={text!r} makes one token: scoring needs at least two")
    tokens = [describe(report, tokenizer) for report in reports]
    first = token_ids[0]
    if not (tokenizer.adds_bos and first == tokenizer.bos_token_id):
        name, data = tokenizer.display([first]), tokenizer.token_bytes(first)
        tokens.insert(0, TokenLogprob(first, name, data, logprob=None))
    total = sum(report.chosen.logprob for report in reports)
    return Score(text=text, tokens=tokens, logprob=total, num_scored=len(reports))


def next_distribution(
    job: Job, row: Logits, tokenizer: Tokenizer, num_top: int
) -> NextDistribution:
    """The `num_top` likeliest tokens of the raw logits `row`, before and after the settings."""
    request = job.request
    logprobs = log_softmax(row)
    history = TokenSequence(0, request.prompt)
    final = final_probabilities(row, request.config, history, request.context(len(row)))
    tokens = [
        NextToken(
            token_id=token_id,
            token=tokenizer.display([token_id]),
            bytes=tokenizer.token_bytes(token_id),
            logit=float(row[token_id]),
            logprob=float(logprobs[token_id]),
            probability=float(np.exp(logprobs[token_id])),
            final_probability=float(final[token_id]),
        )
        for token_id in top_ids(row, num_top).tolist()
    ]
    return NextDistribution(
        prompt=job.prompt,
        prompt_token_ids=list(request.prompt),
        tokens=tokens,
        entropy=entropy(np.exp(logprobs)),
        final_entropy=entropy(final),
        candidates=int(np.count_nonzero(final)),
        vocab_size=len(row),
        config=job.config,
    )
