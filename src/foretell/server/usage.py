"""How many tokens a request took, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foretell.outputs import GenerationOutput


@dataclass
class UsageCount:
    """The tokens of a request so far: each prompt once, however many samples it has.

    Attributes:
        prompt_tokens: of all prompts.
        cached_tokens: how many of these were found already computed.
        completion_tokens: of all samples.
        draft_tokens: tokens that were guessed ahead and verified, of all samples that have ended.
        accepted_tokens: how many of these are among the completion's.
        reasoning_tokens: how many of the completion's are reasoning, of samples that have ended.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    draft_tokens: int = 0
    accepted_tokens: int = 0
    reasoning_tokens: int = 0

    def take(self, output: GenerationOutput) -> None:
        """Count what only a finished sample tells: its prompt's cached tokens, drafts, thoughts."""
        self.draft_tokens += output.usage.draft_tokens
        self.accepted_tokens += output.usage.accepted_tokens
        self.reasoning_tokens += output.usage.reasoning_tokens
        if output.index == 0:
            self.cached_tokens += output.usage.cached_tokens

    def as_dict(self) -> dict[str, Any]:
        """As `usage`. Unlike OpenAI's, completion tokens do not include rejected ones."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "accepted_prediction_tokens": self.accepted_tokens,
                "rejected_prediction_tokens": self.draft_tokens - self.accepted_tokens,
            },
        }


def usage_of(outputs: Sequence[GenerationOutput]) -> UsageCount:
    """The usage of finished outputs."""
    found = UsageCount()
    for output in outputs:
        found.take(output)
        found.completion_tokens += output.usage.completion_tokens
        if output.index == 0:
            found.prompt_tokens += output.usage.prompt_tokens
    return found
