"""From prompts and settings to requests that can run."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from foretell import telemetry
from foretell.config import GenerationConfig
from foretell.config.conflicts import refuse_equal_samples
from foretell.config.defaults import with_default_length
from foretell.config.plain import unpacked
from foretell.config.presets import MODEL_PRESET
from foretell.config.settings import MULTIPLYING_SETTINGS, SEARCHING
from foretell.decoding.context import TextBeginning
from foretell.decoding.functions import check_functions
from foretell.decoding.thoughts import ThoughtMarks
from foretell.engine.request import Request
from foretell.errors import ConfigError, ForetellError
from foretell.grammar.matcher import Grammar
from foretell.inputs.grammars import Grammars
from foretell.inputs.prompts import Prompt, Prompts, is_batch, read_prompt
from foretell.inputs.recommended import Recommended
from foretell.inputs.resolve import (
    TokenizedSettings,
    refuse_foreign_ids,
    tokenize_settings,
    unseen_stops,
    without_foreign_ids,
)
from foretell.outputs import Origin
from foretell.streaming.job import Job, with_prompt_index
from foretell.streaming.sample import stop_in_text
from foretell.streaming.thoughts import thought_marks
from foretell.telemetry import Caller, caller
from foretell.text.chat.ids import ChatPrompt
from foretell.text.dry_breakers import find_breakers
from foretell.text.healing import Healer
from foretell.text.length import check_length
from foretell.text.reasoning import BEGIN, thinks
from foretell.text.stops import StopMatcher
from foretell.utils.quoting import quote
from foretell.utils.warn import warn_of_setting

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Check = Callable[[Request], None]
"""Raises RequestError if a request could never run."""

LongestOf = Callable[[Request], int]
"""Positions that a request's sequence may come to take; its settings limit nothing."""

DEFAULT_CONFIG = GenerationConfig()
ONE_SEQUENCE: dict[str, None] = dict.fromkeys((*MULTIPLYING_SETTINGS, *SEARCHING))
"""Taken back where a strategy of foretell's own runs one sequence, with what needs them."""

MAX_BREAKERS = 16  # sets of texts; what is found of one takes a pass over the vocabulary


@dataclass(frozen=True)
class TokenizedPrompt:
    """A prompt of a list that was read and checked, in less memory than its job will take.

    `prompt_index` counts the prompts of the list from 0.
    """

    text: str
    token_ids: array[int]
    prompt_index: int


class HealingOrigin(Origin, Protocol):
    """An origin that can be told of tokens that were taken back from a prompt."""

    def healed(self, taken: Sequence[int]) -> Origin:
        """The same, of an output from whose prompt these were taken."""
        ...


@dataclass(frozen=True)
class RequestTemplate:
    """Settings, checked once for all prompts that they are for.

    Attributes:
        config: as the user knows them.
        tokenized: as the engine knows them.
        extras: further fields of the requests.
        tokenizer: the model's.
        longest_of: says how much room there is for a request.
        default_length: most tokens to generate where `config` states no length; None: no limit.
        grammar_of: finds the language of a prompt's answer, where that depends on the prompt.
        thoughts_of: finds what an answer's thoughts stand between, where they have a budget.
        heal: finds what to take back of a prompt, where prompts are healed.
        origin: makes receipts of the outputs; None: they have none.
        caller: who is told of the requests by spans; None: nobody.
    """

    config: GenerationConfig
    tokenized: TokenizedSettings
    extras: Mapping[str, Any]
    tokenizer: Tokenizer
    longest_of: LongestOf
    default_length: int | None = None
    grammar_of: Callable[[Sequence[int]], Grammar] | None = None
    thoughts_of: Callable[[Sequence[int]], ThoughtMarks | None] | None = None
    heal: Callable[[Sequence[int]], TextBeginning | None] | None = None
    origin: HealingOrigin | None = None
    caller: Caller | None = None

    def request(
        self,
        token_ids: Sequence[int],
        config: GenerationConfig | None = None,
        prompt_index: int = 0,
    ) -> Request:
        """What is asked of the engine for this prompt; sampling may still lack its seed.

        `config` is the engine's, if it is not that of `tokenized`.
        """
        extras = {"prompt_logprobs": self.config.prompt_logprobs, **self.extras}
        if self.grammar_of is not None:
            extras["grammar"] = self.grammar_of(token_ids)
        if self.thoughts_of is not None:
            extras["thoughts"] = self.thoughts_of(token_ids)
        own = config or self.tokenized.config
        beginning = None if self.heal is None else self.heal(token_ids)
        if beginning is not None:
            token_ids = token_ids[: -beginning.num_taken]
            own = _with_more(own, beginning.num_taken)
            extras["beginning"] = beginning
        return Request(
            token_ids,
            own,
            self.tokenized.eos_token_ids,
            negative_prompt=self.tokenized.negative_prompt_of(token_ids),
            dry_breakers=self.tokenized.dry_breakers,
            prompt_index=prompt_index,
            **extras,
        )

    def job(
        self,
        text: str,
        token_ids: Sequence[int],
        prompt_index: int = 0,
        *,
        is_listed: bool = False,
    ) -> Job:
        """A job for this prompt. A seed is drawn where sampling lacks one."""
        config, own = self._with_length(token_ids), self.tokenized.config
        if "strategy" not in self.extras:
            config = config.with_seed()
        if config is not self.config:
            own = self.tokenized.of(config)
        request = self.request(token_ids, own, prompt_index)
        origin: Origin | None = self.origin
        if self.origin is not None and request.beginning is not None:
            origin = self.origin.healed(token_ids[-request.beginning.num_taken :])
        job = Job(text, request, config, prompt_index, is_listed, origin, self.caller)
        if not job.request.strategy_kind.emits:
            return job
        ends_text = stop_in_text(job, self.tokenizer)
        return replace(job, request=replace(job.request, ends_text=ends_text))

    def _with_length(self, token_ids: Sequence[int]) -> GenerationConfig:
        """The settings for this prompt, limited where they state no length and one is due."""
        if self.default_length is None or not token_ids:
            return self.config
        room = self.longest_of(self.request(token_ids)) - len(token_ids)
        return with_default_length(self.config, self.default_length, room, len(token_ids))

    def job_of(self, prompt: TokenizedPrompt) -> Job:
        """The job of a list's prompt, when its turn has come."""
        return self.job(prompt.text, prompt.token_ids, prompt.prompt_index, is_listed=True)


def _with_more(config: GenerationConfig, number: int) -> GenerationConfig:
    """The settings for a text that begins with so many tokens of the prompt."""
    names = ("max_new_tokens", "min_new_tokens")
    stated = {name: getattr(config, name) for name in names}
    return config.override(
        **{name: value + number for name, value in stated.items() if value is not None}
    )


@dataclass(frozen=True)
class PreparedPrompts:
    """The jobs of one call, to be taken once; those of a list are made when their turn comes.

    Attributes:
        jobs: one for each prompt.
        num_prompts: how many there are.
        num_samples: outputs of each.
        is_list: whether a list of prompts was given, and not one.
        token_ids: of each prompt.
    """

    jobs: Iterable[Job]
    num_prompts: int
    num_samples: int
    is_list: bool
    token_ids: tuple[Sequence[int], ...]

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    @property
    def num_outputs(self) -> int:
        """Outputs of all prompts."""
        return self.num_prompts * self.num_samples

    @property
    def is_single(self) -> bool:
        """Whether one sample of one prompt was asked for, and not a list."""
        return self.num_samples == 1 and not self.is_list


class InputProcessor:
    """Checks settings and prompts, before any work, and makes jobs of them.

    Args:
        tokenizer: the model's.
        recommended: the settings that the model's own files recommend, for `preset="model"`.
        check: raises RequestError if a request could never run.
        vocab_size: number of the model's logits; None for the tokenizer's tokens.
        longest_of: how many positions a request may come to take.
        context_length: most positions of a sequence; None where nobody knows.
        origin: makes receipts of the outputs; None: they have none.
        model: what the model is called.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        recommended: dict[str, Any],
        check: Check,
        vocab_size: int | None = None,
        longest_of: LongestOf = lambda request: sys.maxsize,
        context_length: int | None = None,
        origin: HealingOrigin | None = None,
        model: str = "",
    ) -> None:
        self._tokenizer = tokenizer
        self._origin = origin
        self._model = model
        self._recommended = (
            recommended if isinstance(recommended, Recommended) else Recommended(recommended)
        )
        self._check = check
        self._vocab_size = tokenizer.vocab_size if vocab_size is None else vocab_size
        self._longest_of = longest_of
        self._context_length = context_length
        self._grammars = Grammars(tokenizer, self._vocab_size)
        self._healer = Healer(tokenizer)
        self._find_breakers = lru_cache(MAX_BREAKERS)(partial(find_breakers, tokenizer))

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's."""
        return self._tokenizer

    def settings(
        self, config: GenerationConfig | None, settings: Mapping[str, Any]
    ) -> GenerationConfig:
        """The settings in force; what is legal and yet odd earns a warning, at the user's line.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another, or has a token
                id that the vocabulary lacks.
        """
        complete = merge_settings(config, settings)
        refuse_foreign_ids(complete, self._vocab_size)
        if complete.preset == MODEL_PRESET:
            complete = self._with_recommended(complete)
        if complete.stop or complete.stop_regex:
            StopMatcher(complete.stop, complete.stop_regex)  # refuses a bad pattern
        check_functions(complete)
        for sentence in (*complete.warnings, *unseen_stops(complete, self._tokenizer)):
            warn_of_setting(sentence)
        return complete

    def _with_recommended(self, config: GenerationConfig) -> GenerationConfig:
        recommended = without_foreign_ids(self._recommended.config(config.stated), self._vocab_size)
        complete = recommended.override(**config.stated)
        refuse_equal_samples(complete)
        return complete

    def template(
        self, complete: GenerationConfig, *, default_length: int | None = None, **extras: Any
    ) -> RequestTemplate:
        """The settings in force, for the engine; `extras` are fields of the requests.

        Where they state no length, `default_length` limits the tokens of each text. A
        strategy among them that looks at a prompt does so once.
        """
        if "strategy" in extras:
            complete = complete.override(**ONE_SEQUENCE)
        negative, length = complete.negative_prompt, self._context_length
        if complete.guidance_scale not in (None, 1) and isinstance(negative, str):
            check_length("a negative prompt", negative, self._tokenizer, length)
        tokenized = tokenize_settings(complete, self._tokenizer, self._find_breakers)
        template = RequestTemplate(
            complete,
            tokenized,
            extras,
            self._tokenizer,
            self._longest_of,
            default_length,
            origin=None if "strategy" in extras else self._origin,
            caller=caller(self._model) if telemetry.MODULE in telemetry.MODULES else None,
        )
        if complete.token_healing and "strategy" not in extras:
            template = replace(template, heal=self._healer.heal)
        if complete.thinking_budget is not None:
            self._warn_of_budget(complete)
            marks_of = partial(thought_marks, self._tokenizer, complete)
            template = replace(template, thoughts_of=marks_of)
        if complete.allow_thinking:
            find = partial(self._grammars.find_for_prompt, complete)
            return replace(template, grammar_of=find)
        if complete.form is not None:
            extras["grammar"] = self._grammars.find(complete)
        return template

    def _warn_of_budget(self, config: GenerationConfig) -> None:
        if not thinks(self._tokenizer.chat_template):
            warn_of_setting(
                f"thinking_budget={config.thinking_budget} has an effect only on a text that "
                f"begins with {BEGIN}: this model's chat template has no such mark"
            )

    def read(self, prompt: Prompt, *, parse_special: bool) -> tuple[str, list[int]]:
        """A prompt as text and as ids; RequestError if it is none, is empty or cannot fit."""
        text, token_ids = self._read(prompt, parse_special)
        self._check(Request(token_ids))
        return text, token_ids

    def prepare(
        self, prompt: Prompts, template: RequestTemplate, *, parse_special: bool
    ) -> PreparedPrompts:
        """The jobs of a prompt, or of a list of prompts, which are all read and checked now.

        Args:
            prompt: text or ids, or a list of such; errors say which prompt of a list.
            template: the settings in force.
            parse_special: whether special tokens written out in a text count as such.

        Raises:
            RequestError: a prompt is neither text nor ids, is empty or cannot fit.
        """
        num_samples = template.config.num_return_sequences
        prompt = unpacked(prompt)
        if not is_batch(prompt):
            job = self.job(cast(Prompt, prompt), template, parse_special=parse_special)
            ids = (job.request.prompt,)
            return PreparedPrompts([job], 1, num_samples, is_list=False, token_ids=ids)
        read = [
            self._read_listed(one, template, parse_special, index)
            for index, one in enumerate(prompt)
        ]
        several = tuple(one.token_ids for one in read)
        jobs = map(template.job_of, read)
        return PreparedPrompts(jobs, len(read), num_samples, is_list=True, token_ids=several)

    def job(
        self,
        prompt: Prompt,
        template: RequestTemplate,
        *,
        parse_special: bool,
        prompt_index: int = 0,
    ) -> Job:
        """The job of one prompt; errors as in `prepare`."""
        text, token_ids = self._read(prompt, parse_special)
        if template.caller is not None and isinstance(prompt, ChatPrompt):
            template = replace(template, caller=template.caller.of_chat())
        job = template.job(text, token_ids, prompt_index)
        self._check(job.request)
        return job

    def _read(self, prompt: Prompt, parse_special: bool) -> tuple[str, list[int]]:
        return read_prompt(
            prompt,
            self._tokenizer,
            parse_special=parse_special,
            context_length=self._context_length,
        )

    def _read_listed(
        self, prompt: Prompt, template: RequestTemplate, parse_special: bool, prompt_index: int
    ) -> TokenizedPrompt:
        try:
            text, token_ids = self._read(prompt, parse_special)
            self._check(template.request(token_ids))
        except ForetellError as error:
            raise with_prompt_index(error, prompt_index) from error
        return TokenizedPrompt(text, array("i", token_ids), prompt_index)


def merge_settings(
    config: GenerationConfig | None, settings: Mapping[str, Any]
) -> GenerationConfig:
    """A config, or the defaults, with these settings replacing its own.

    Raises:
        ConfigError: a setting is unknown, out of range or contradicts another.
    """
    if config is None:
        config = DEFAULT_CONFIG
    elif not isinstance(config, GenerationConfig):
        raise ConfigError(f"config={quote(config)} must be a GenerationConfig")
    return config.override(**settings)
