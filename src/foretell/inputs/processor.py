"""From prompts and settings to requests that can run."""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from foretell.config import GenerationConfig
from foretell.config.conflicts import refuse_equal_samples
from foretell.config.presets import MODEL_PRESET
from foretell.engine.request import Request
from foretell.errors import ConfigError, ForetellError, SettingWarning
from foretell.inputs.prompts import Prompt, Prompts, is_batch, read_prompt
from foretell.inputs.resolve import SettingsTokenizer, TokenizedSettings
from foretell.streaming.job import Job, with_prompt_index
from foretell.streaming.sample import stop_in_text
from foretell.text.stops import StopMatcher

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Check = Callable[[Request], None]
"""Raises RequestError if a request could never run."""


@dataclass(frozen=True)
class TokenizedPrompt:
    """A prompt that was read and checked, in less memory than its job will take.

    `place` is the prompt's in the user's list; None where the user gave one prompt.
    """

    text: str
    token_ids: array[int]
    place: int | None


@dataclass(frozen=True)
class RequestTemplate:
    """Settings, checked once for all prompts that they are for.

    Attributes:
        config: as the user knows them.
        resolved: as the engine knows them.
        extras: further fields of the requests.
        tokenizer: the model's.
    """

    config: GenerationConfig
    resolved: TokenizedSettings
    extras: Mapping[str, Any]
    tokenizer: Tokenizer

    def request(self, token_ids: Sequence[int]) -> Request:
        """What is asked of the engine for this prompt; sampling may still lack its seed."""
        return Request(
            token_ids,
            self.resolved.config,
            self.resolved.eos_token_ids,
            negative_prompt=self.resolved.negative_prompt_of(token_ids),
            dry_breakers=self.resolved.dry_breakers,
            **{"prompt_logprobs": self.config.prompt_logprobs, **self.extras},
        )

    def job(self, draft: TokenizedPrompt) -> Job:
        """A job for this prompt. A seed is drawn where sampling lacks one."""
        seeded = self._with_seed()
        job = Job(draft.text, seeded.request(draft.token_ids), seeded.config, draft.place)
        if not job.request.strategy_kind.emits:
            return job
        return replace(
            job, request=replace(job.request, ends_text=stop_in_text(job, self.tokenizer))
        )

    def _with_seed(self) -> RequestTemplate:
        config = self.config.with_seed()
        if config is self.config or "strategy" in self.extras:
            return self
        resolved = replace(self.resolved, config=self.resolved.config.override(seed=config.seed))
        return replace(self, config=config, resolved=resolved)


@dataclass(frozen=True)
class PreparedPrompts:
    """The jobs of one call; each is made when its turn comes."""

    plan: RequestTemplate
    drafts: Sequence[TokenizedPrompt]

    def __iter__(self) -> Iterator[Job]:
        return map(self.plan.job, self.drafts)

    @property
    def num_outputs(self) -> int:
        """RequestStreamer of all prompts."""
        return len(self.drafts) * self.plan.config.num_return_sequences

    @property
    def is_single(self) -> bool:
        """Whether one sample of one prompt was asked for, and not a list."""
        return self.num_outputs == 1 and self.drafts[0].place is None


class InputProcessor:
    """Checks settings and prompts, before any work, and makes jobs of them.

    Args:
        tokenizer: the model's.
        recommended: the settings that the model's own files recommend, for `preset="model"`.
        check: raises RequestError if a request could never run.
    """

    def __init__(self, tokenizer: Tokenizer, recommended: dict[str, Any], check: Check) -> None:
        self._tokenizer = tokenizer
        self._recommended = recommended
        self._check = check
        self._resolver = SettingsTokenizer(tokenizer)

    def settings(
        self, config: GenerationConfig | None, settings: Mapping[str, Any]
    ) -> GenerationConfig:
        """The settings in force; what is legal and yet odd earns a warning.

        The warning points to the caller's caller's caller: the user's line.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another.
        """
        if config is not None and not isinstance(config, GenerationConfig):
            raise ConfigError(f"config={config!r} must be a GenerationConfig")
        complete = (config or GenerationConfig()).override(**settings)
        if complete.preset == MODEL_PRESET:
            complete = self._with_recommended(complete)
        StopMatcher(complete.stop, complete.stop_regex)  # refuses a bad pattern
        for sentence in complete.warnings:
            warnings.warn(sentence, SettingWarning, stacklevel=4)
        return complete

    def _with_recommended(self, config: GenerationConfig) -> GenerationConfig:
        if not self._recommended:
            raise ConfigError("preset='model': this model's files recommend no settings")
        complete = GenerationConfig(**self._recommended).override(**config.stated)
        refuse_equal_samples(complete)
        return complete

    def plan(self, complete: GenerationConfig, **extras: Any) -> RequestTemplate:
        """The settings in force, for the engine; `extras` are fields of the requests.

        A strategy among them that looks at a prompt does so once.
        """
        if "strategy" in extras:
            complete = complete.override(
                num_return_sequences=None, num_beams=None, length_penalty=None, early_stopping=None
            )
        return RequestTemplate(complete, self._resolver.resolve(complete), extras, self._tokenizer)

    def jobs(
        self, prompt: Prompts, plan: RequestTemplate, *, parse_special: bool
    ) -> PreparedPrompts:
        """The jobs of a prompt, or of a list of prompts, which are all read and checked now.

        Args:
            prompt: text or ids, or a list of such; errors tell the place of a list's prompt.
            plan: the settings in force.
            parse_special: whether special tokens written out in a text count as such.

        Raises:
            RequestError: a prompt is neither text nor ids, is empty or cannot fit.
        """
        if not is_batch(prompt):
            return PreparedPrompts(
                plan, [self._draft(cast(Prompt, prompt), plan, parse_special, None)]
            )
        return PreparedPrompts(
            plan,
            [self._draft(one, plan, parse_special, place) for place, one in enumerate(prompt)],
        )

    def job(self, prompt: Prompt, plan: RequestTemplate, *, parse_special: bool) -> Job:
        """The job of one prompt; errors as in `jobs`."""
        return plan.job(self._draft(prompt, plan, parse_special, None))

    def _draft(
        self, prompt: Prompt, plan: RequestTemplate, parse_special: bool, place: int | None
    ) -> TokenizedPrompt:
        try:
            text, token_ids = read_prompt(prompt, self._tokenizer, parse_special=parse_special)
            self._check(plan.request(token_ids))
        except ForetellError as error:
            raise with_prompt_index(error, place) from error
        return TokenizedPrompt(text, array("i", token_ids), place)
