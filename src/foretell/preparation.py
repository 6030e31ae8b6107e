"""From a prompt and settings to a request that can run (row 1 of the design)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from foretell.config import GenerationConfig
from foretell.config.presets import MODEL_PRESET
from foretell.engine.request import Request
from foretell.errors import ConfigError, SettingWarning
from foretell.prompts import Prompt, read_prompt
from foretell.resolution import Resolver
from foretell.text.stops import StopMatcher
from foretell.transcript import Job

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


class Preparation:
    """Checks settings and prompts, before any work, and makes jobs of them.

    Args:
        tokenizer: the model's.
        recommended: the settings that the model's own files recommend, for `preset="model"`.
    """

    def __init__(self, tokenizer: Tokenizer, recommended: dict[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._recommended = recommended
        self._resolver = Resolver(tokenizer)

    def job(
        self,
        prompt: Prompt,
        config: GenerationConfig | None,
        settings: dict[str, Any],
        *,
        parse_special: bool,
        **extras: Any,
    ) -> Job:
        """A job; `extras` are fields of its request. A seed is drawn where sampling lacks one.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another.
            RequestError: the prompt is neither text nor ids.
        """
        if config is not None and not isinstance(config, GenerationConfig):
            raise ConfigError(f"config={config!r} must be a GenerationConfig")
        complete = self._complete(config or GenerationConfig(), settings)
        if "strategy" not in extras:
            complete = complete.with_seed()
        text, token_ids = read_prompt(prompt, self._tokenizer, parse_special=parse_special)
        resolved = self._resolver.resolve(complete, token_ids)
        request = Request(
            token_ids,
            resolved.config,
            resolved.eos_token_ids,
            negative_prompt=resolved.negative_prompt,
            dry_breakers=resolved.dry_breakers,
            **{"prompt_logprobs": complete.prompt_logprobs, **extras},
        )
        StopMatcher(complete.stop, complete.stop_regex)  # refuses a bad pattern
        return Job(text, request, complete)

    def _complete(self, config: GenerationConfig, settings: dict[str, Any]) -> GenerationConfig:
        """The settings in force; what is legal and yet odd earns a warning."""
        complete = config.override(**settings)
        if complete.preset == MODEL_PRESET:
            if not self._recommended:
                raise ConfigError("preset='model': this model's files recommend no settings")
            complete = GenerationConfig(**self._recommended).override(**complete.stated)
        for sentence in complete.warnings:
            warnings.warn(sentence, SettingWarning, stacklevel=5)
        return complete
