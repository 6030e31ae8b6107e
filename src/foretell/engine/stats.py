"""What an engine has done and is doing, in numbers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SPEED_STEPS = 128  # the last steps, whose speed it is


@dataclass(frozen=True)
class EngineStats:
    """An engine at one moment.

    Attributes:
        running: requests that hold KV blocks.
        waiting: requests that do not, yet or again.
        num_blocks: KV blocks in all.
        free_blocks: those that no request holds.
        cached_blocks: those of the free ones that hold a prefix for later requests.
        prompt_tokens: prompt tokens of all requests that ran, those of resumed ones once.
        cached_tokens: how many of them were found already computed.
        generated_tokens: tokens of all samples.
        draft_tokens: tokens that were guessed, and computed to be verified.
        accepted_tokens: generated tokens that such a guess saved a step.
        preemptions: how often a request had to give back its blocks.
        steps: forward passes.
        tokens_per_second: generated, over the time of the last steps.
    """

    running: int
    waiting: int
    num_blocks: int
    free_blocks: int
    cached_blocks: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    preemptions: int
    steps: int
    tokens_per_second: float
    draft_tokens: int = 0
    accepted_tokens: int = 0

    @property
    def hit_rate(self) -> float:
        """The share of prompt tokens that were found already computed, 0 to 1."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    @property
    def acceptance_rate(self) -> float:
        """The share of guessed tokens that were right, 0 to 1."""
        return self.accepted_tokens / self.draft_tokens if self.draft_tokens else 0.0


class Meter:
    """Counts an engine's work."""

    def __init__(self) -> None:
        self.prompt_tokens = self.cached_tokens = self.generated_tokens = self.steps = 0
        self.draft_tokens = self.accepted_tokens = 0
        self._latest: deque[tuple[int, float]] = deque(maxlen=SPEED_STEPS)
        self._counted = 0

    def note_step(self, seconds: float) -> None:
        """Count a step, and for it the tokens generated since the last one."""
        self.steps += 1
        self._latest.append((self.generated_tokens - self._counted, seconds))
        self._counted = self.generated_tokens

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens of the last steps over the seconds that these took."""
        latest = list(self._latest)  # at once: another thread may be in a step
        seconds = sum(took for _, took in latest)
        return sum(tokens for tokens, _ in latest) / seconds if seconds else 0.0
