"""What lm-evaluation-harness asks of a model: likelihoods, rolling likelihoods, texts.

    foretell eval -m smollm2-135m-instruct --tasks arc_easy

Importing this registers the model "foretell" with the harness. Later releases than 0.4.13 find it
by the package's entry point, so that `lm-eval run --model foretell` works too.

Its answers are those of the harness's own model "hf" on the same weights: texts are cut into tokens
where that cuts them, and what is too long loses its beginning as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from foretell.analysis.continuations import ScoredSpan, SpanScore, score_spans
from foretell.analysis.tasks import Analysis, GenerationTask, Tasks
from foretell.config import GenerationConfig
from foretell.errors import ConfigError, RequestError
from foretell.evaluation.windows import prefix_token
from foretell.hub import DEFAULT_MODEL
from foretell.llm import LLM
from foretell.text.chat.prompt import chat_text
from foretell.utils.quoting import quote

AT_ONCE = 128
"""Requests between two movements of the bar; the engine runs as many together as it can."""

GENERATED_TOKENS = 256
LENGTH_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""What tasks call the length of a text; the first that is given counts."""

Pair = tuple[Sequence[int], Sequence[int]]
"""The ids of a context, and of what follows it."""


@register_model("foretell")
class ForetellLM(TemplateLM):
    """A model of foretell's, as the harness knows models.

    Args:
        pretrained: what `LLM` takes as `model`.
        batch_size, max_batch_size: passed over: foretell fills its batches itself.
        device: passed over: the harness states one to every model, "cuda:0" if nobody does.
        torch_device: where transformers is to compute: `device` of `LLM`.
        max_length: most tokens of context and continuation; None for the model's context.
        options: further arguments of `LLM`.
    """

    def __init__(
        self,
        pretrained: Any = DEFAULT_MODEL,
        batch_size: Any = None,
        max_batch_size: Any = None,
        device: Any = None,
        torch_device: str | None = None,
        max_length: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if torch_device is not None:
            options["device"] = torch_device
        self.llm = pretrained if isinstance(pretrained, LLM) else LLM(pretrained, **options)
        self.tokenizer = self.llm.tokenizer
        self._name = pretrained if isinstance(pretrained, str) else self.llm.info.description
        self._max_length = max_length
        self._template: str | None = None

    @property
    def eot_token_id(self) -> int:
        """What ends a text."""
        found = self.tokenizer.eos_token_id
        return prefix_token(self.tokenizer) if found is None else found

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that has no context."""
        return prefix_token(self.tokenizer)

    @property
    def max_length(self) -> int:
        """Most tokens of context and continuation."""
        return self._max_length or self.llm.info.context_length

    @property
    def max_gen_toks(self) -> int:
        """Tokens of a text whose task states no length."""
        return GENERATED_TOKENS

    @property
    def tokenizer_name(self) -> str:
        """A name for caches of requests."""
        return self._name.replace("/", "__")

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Ids of a text; special tokens written out in it count as such, as in chat templates."""
        ids = self.tokenizer.encode(
            string, add_special_tokens=add_special_tokens is not False, parse_special=True
        )
        bos = self.tokenizer.bos_token_id
        is_twice = self.tokenizer.adds_bos and ids[:2] == [bos, bos]
        return ids[1:] if is_twice and add_special_tokens is None else ids

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The source of the template that is to be used, which is kept for what follows."""
        self._template = chat_template if isinstance(chat_template, str) else None
        if not chat_template:
            return None
        if self._template is None:
            return self.tokenizer.chat_template
        named = self.tokenizer.chat_templates
        if self._template not in named:
            raise ConfigError(
                f"chat_template={quote(self._template)} must be one of {', '.join(named) or 'none'}"
            )
        return named[self._template]

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """The text of a chat, up to the answer or in the middle of the last message.

        Where the template knows no system, its message is left out, as "hf" does.
        """
        try:
            return self._chat_text(chat_history, add_generation_prompt)
        except RequestError:
            others = [one for one in chat_history if one["role"] != "system"]
            if len(others) == len(chat_history):
                raise
            return self._chat_text(others, add_generation_prompt)

    def _chat_text(self, messages: list[dict[str, str]], adds_prompt: bool) -> str:
        return chat_text(
            self.tokenizer,
            messages,
            continue_final_message=not adds_prompt,
            chat_template=self._template,
        )

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """The log-probability of each whole text, in disjoint windows of the context."""
        windows = [[*self._windows(request.args[0])] for request in requests]
        owners = [owner for owner, own in enumerate(windows) for _ in own]
        found: list[list[float]] = [[] for _ in windows]
        scores = self._scores([pair for own in windows for pair in own], disable_tqdm)
        for index, score in scores:
            owner = owners[index]
            found[owner].append(score.logprob)
            if len(found[owner]) == len(windows[owner]):
                total = math.fsum(found[owner])
                self.cache_hook.add_partial("loglikelihood_rolling", requests[owner].args, total)
        return [*map(math.fsum, found)]

    def _windows(self, text: str) -> Iterator[Pair]:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        return map(make_disjoint_window, windows)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        """Of each continuation the log-probability, and whether greedy decoding writes it."""
        pairs = [(context, continuation) for _, context, continuation in requests]
        answers: dict[int, tuple[float, bool]] = {}
        for index, score in self._scores(pairs, disable_tqdm):
            answers[index] = score.logprob, score.is_greedy
            texts = requests[index][0]
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, answers[index])
        return [answers[index] for index in range(len(pairs))]

    def _scores(self, pairs: Sequence[Pair], disable_tqdm: bool) -> Iterator[tuple[int, SpanScore]]:
        """The scores of all pairs, as they come, with the pairs' indices.

        They run sorted by their tokens, so that those that begin alike follow each other and find
        that beginning in the prefix cache.
        """
        spans = [self._span(*pair) for pair in pairs]
        order = sorted(range(len(spans)), key=lambda index: tuple(spans[index].token_ids))
        with tqdm(total=len(spans), disable=disable_tqdm, desc="Scoring") as bar:
            for start in range(0, len(order), AT_ONCE):
                some = order[start : start + AT_ONCE]
                found = self.llm._analyse(score_spans([spans[index] for index in some]))
                yield from zip(some, found, strict=True)
                bar.update(len(some))

    def _span(self, context: Sequence[int], continuation: Sequence[int]) -> ScoredSpan:
        """What is too long loses its beginning; RequestError if it is the continuation's own."""
        if not 0 < len(continuation) <= self.max_length:
            raise RequestError(
                f"a continuation has {len(continuation)} tokens: must have 1 to {self.max_length}"
            )
        ids = [*context, *continuation][-(self.max_length + 1) :]
        return ScoredSpan(ids, len(continuation))

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """The text after each context, up to the first of its task's stops."""
        groups: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault(repr(request.args[1]), []).append(index)
        texts: dict[int, str] = {}
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Generating") as bar:
            for indices in groups.values():
                for start in range(0, len(indices), AT_ONCE):
                    some = indices[start : start + AT_ONCE]
                    found = self._generate([requests[index] for index in some])
                    for index, text in zip(some, found, strict=True):
                        texts[index] = text
                        self.cache_hook.add_partial("generate_until", requests[index].args, text)
                    bar.update(len(some))
        return [texts[index] for index in range(len(requests))]

    def _generate(self, requests: Any) -> list[str]:
        """The texts of some requests of the same settings."""
        settings, stops = read_settings(requests[0].args[1])
        room = self.max_length - settings["max_new_tokens"]
        if room < 1:
            raise ConfigError(
                f"max_gen_toks={settings['max_new_tokens']} must be less than max_length="
                f"{self.max_length}"
            )
        prompts = [
            self.tok_encode(request.args[0])[-room:] or [self.prefix_token_id]
            for request in requests
        ]
        config = GenerationConfig().override(stop=stops, **settings)
        tasks = [GenerationTask(prompt, _with_seed(config)) for prompt in prompts]
        return self.llm._analyse(_texts(tasks))


def _with_seed(config: GenerationConfig) -> GenerationConfig:
    """With a seed of its own where it draws: the harness's --seed has set numpy's generator."""
    if not config.is_sampling or config.seed is not None:
        return config
    return config.override(seed=int(np.random.randint(2**31)))


def _texts(tasks: Tasks) -> Analysis[list[str]]:
    outputs = yield tasks
    return [output.text for output in outputs]


def read_settings(stated: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A task's generation_kwargs as foretell's settings, and its stops.

    As the harness has it: greedy, unless `do_sample` or a temperature above 0 is stated; at
    temperature 0 in any case.
    """
    settings = {name: value for name, value in stated.items() if value is not None}
    lengths = [settings.pop(name) for name in LENGTH_NAMES if name in settings]
    settings["max_new_tokens"] = int(lengths[0]) if lengths else GENERATED_TOKENS
    until = settings.pop("until", [])
    stops = [until] if isinstance(until, str) else [*until]
    temperature = float(settings.get("temperature", 1.0))
    samples = settings.get("do_sample", "temperature" in settings) and temperature > 0
    if "temperature" in settings:
        settings["temperature"] = temperature
    if not samples:
        for name in ("temperature", "top_p", "top_k", "min_p", "typical_p"):
            settings.pop(name, None)
    settings["do_sample"] = bool(samples)
    return settings, [stop for stop in stops if stop]
