"""What a step reports of the requests that ran in it. Ids and numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from foretell.decoding.logprobs import NO_REPORTS, TokenReport
from foretell.decoding.trace import StepRecord
from foretell.outputs import FinishReason, LogprobStage, StopReason


@dataclass(frozen=True)
class PromptEvent:
    """Log-probabilities of the next few prompt tokens; the prompt's first token has none.

    `reports` is empty where a request looks at the logits itself.
    """

    request_id: int
    reports: list[TokenReport]


class TokenEvent(NamedTuple):
    """A generated token; `stop_reason` is set if it is the last of its sample.

    `reports` has the log-probabilities at each stage that was asked for, in that order; `trace`
    what each processor did, if that was. `sample` is the sample's number. `num_drafts` guessed
    tokens were computed behind it; with `is_ahead` it comes of the row of one that was right, in
    the same step as the token before it. With its first token come the prompt tokens that were
    found already computed, when the request first had blocks, by `perf_counter`, and why nothing is
    guessed of it; with the last one of a beam search's text the score that it was ranked by, and
    how likely it was to be among those drawn.
    """

    request_id: int
    token_id: int
    reports: Mapping[LogprobStage, TokenReport] = NO_REPORTS
    stop_reason: StopReason | None = None
    trace: StepRecord | None = None
    sample: int = 0
    cached_tokens: int = 0
    score: float | None = None
    begun: float | None = None
    num_drafts: int = 0
    is_ahead: bool = False
    speculation_off: str | None = None
    inclusion_probability: float | None = None


@dataclass(frozen=True)
class EndEvent:
    """The end of a sample without a token: nothing was to be generated, or a step failed.

    `error` is why it failed: a `ForetellError`, or what a user's own function raised.
    """

    request_id: int
    finish_reason: FinishReason
    error: BaseException | None = None
    sample: int = 0


Event = PromptEvent | TokenEvent | EndEvent
