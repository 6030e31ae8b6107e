"""Reports and traces as the user reads them: ids become text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.decoding.logprobs import RankedToken, TokenReport
from foretell.decoding.trace import CandidateRecord, StepRecord
from foretell.outputs import CandidateTrace, StepTrace, TokenLogprob

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def describe(report: TokenReport, tokenizer: Tokenizer) -> TokenLogprob:
    """The report of one token, with its text and that of its alternatives."""
    top = tuple(_describe_one(entry, tokenizer) for entry in report.top)
    return _describe_one(report.chosen, tokenizer, top)


def _describe_one(
    entry: RankedToken, tokenizer: Tokenizer, top: tuple[TokenLogprob, ...] = ()
) -> TokenLogprob:
    return TokenLogprob(
        token_id=entry.token_id,
        token=tokenizer.display([entry.token_id]),
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
        token=tokenizer.display([record.token_id]),
        bytes=tokenizer.token_bytes(record.token_id),
        rank=record.rank,
        logits=record.logits,
        probabilities=record.probabilities,
        removed_by=record.removed_by,
    )
