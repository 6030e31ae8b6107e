"""Probabilities as the user reads them: ids become text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.backends.base import Logits
from foretell.config import Range
from foretell.config.settings import SETTINGS, Kind
from foretell.decoding.distribution import final_probabilities
from foretell.decoding.logprobs import RankedToken, TokenReport, entropy, log_softmax, top_ids
from foretell.decoding.trace import CandidateRecord, StepRecord
from foretell.engine.sequence import Sequence as TokenSequence
from foretell.errors import ConfigError, RequestError
from foretell.outputs import (
    CandidateTrace,
    NextDistribution,
    NextToken,
    Score,
    StepTrace,
    TokenLogprob,
)

if TYPE_CHECKING:
    from foretell.streaming.job import Job
    from foretell.text.tokenizer import Tokenizer

NOT_FOR_NEXT = tuple(
    name
    for name, row in SETTINGS.items()
    if row.kind in (Kind.RUN, Kind.REPORT, Kind.GUIDANCE)  # guidance takes a second sequence
)
"""Settings that say nothing of the distribution of the next token."""


def check_next(top: int, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError if the next token's `top` or settings make no sense."""
    check_count("top", top, 1)
    for name in NOT_FOR_NEXT:
        if name in settings:
            raise ConfigError(f"{name}={settings[name]!r} has no effect on the next token's odds")


def check_count(name: str, value: int, low: int) -> None:
    """Raise ConfigError unless `value`, a number of tokens to list, is at least `low`."""
    Range(int, low, math.inf, "tokens to list").check(name, value)


def describe(report: TokenReport, tokenizer: Tokenizer) -> TokenLogprob:
    """The report of one token, with its text and that of its alternatives."""
    top = tuple(_describe_one(entry, tokenizer) for entry in report.top)
    return _describe_one(report.chosen, tokenizer, top)


def _describe_one(
    entry: RankedToken, tokenizer: Tokenizer, top: tuple[TokenLogprob, ...] = ()
) -> TokenLogprob:
    return TokenLogprob(
        token_id=entry.token_id,
        token=tokenizer.token_text(entry.token_id),
        bytes=tokenizer.token_bytes(entry.token_id),
        logprob=entry.logprob,
        rank=entry.rank,
        top=top,
    )


def describe_trace(record: StepRecord, tokenizer: Tokenizer) -> StepTrace:
    """The record of one step, with the texts of its tokens."""
    return StepTrace(
        stages=record.stages,
        chosen=_describe_candidate(record.chosen, tokenizer),
        runners_up=tuple(_describe_candidate(one, tokenizer) for one in record.runners_up),
        draw=record.draw,
    )


def _describe_candidate(record: CandidateRecord, tokenizer: Tokenizer) -> CandidateTrace:
    return CandidateTrace(
        token_id=record.token_id,
        token=tokenizer.token_text(record.token_id),
        bytes=tokenizer.token_bytes(record.token_id),
        rank=record.rank,
        logits=record.logits,
        probabilities=record.probabilities,
        removed_by=record.removed_by,
    )


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
        name, data = tokenizer.token_text(first), tokenizer.token_bytes(first)
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
            token=tokenizer.token_text(token_id),
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
        candidates=int(np.count_nonzero(final)),
        vocab_size=len(row),
        config=job.config,
    )
