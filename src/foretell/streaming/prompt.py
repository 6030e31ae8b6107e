"""The log-probabilities of a request's prompt, described once for all of its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.engine.events import PromptEvent
from foretell.outputs import TokenLogprob
from foretell.streaming.describe import describe
from foretell.streaming.job import Job

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


class PromptStreamer:
    """Writes down what is reported of a prompt, as it comes.

    Args:
        job: whose prompt it is.
        tokenizer: the model's.
    """

    def __init__(self, job: Job, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._is_wanted = job.request.config.prompt_logprobs is not None
        self._logprobs: list[TokenLogprob] = []
        if self._is_wanted:
            first = job.request.prompt[0]
            name, data = tokenizer.display([first]), tokenizer.token_bytes(first)
            self._logprobs.append(TokenLogprob(first, name, data, logprob=None))

    def take(self, event: PromptEvent) -> None:
        """Write down the next few tokens."""
        self._logprobs += [describe(report, self._tokenizer) for report in event.reports]

    def logprobs(self) -> list[TokenLogprob] | None:
        """One entry a prompt token, the first without a probability; None if none are wanted."""
        return [*self._logprobs] if self._is_wanted else None
