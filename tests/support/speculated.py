"""Random requests, run side by side by an LLM, and all that is read of each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from foretell.backends.scripted import Script
from foretell.decoding.drafts.base import Draft
from foretell.decoding.drafts.lookup import LookupDrafter, LookupFollower
from foretell.llm import LLM
from foretell.outputs import Chunk
from support.toy import VOCAB_SIZE, engine_of

Wish = tuple[list[int], dict[str, Any]]

SAMPLERS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"temperature": 0.3},
    {"temperature": 0.8},
    {"temperature": 1.0},
    {"temperature": 1.0, "dialect": "llama.cpp"},
    {"temperature": 0.7, "dynatemp_range": 0.4},
    {"temperature": 0.9, "top_k": 8, "top_p": 0.9},
    {"temperature": 1.2, "min_p": 0.1},
    {"typical_p": 0.8},
    {"epsilon_cutoff": 0.02},
    {"eta_cutoff": 0.02, "temperature": 0.6},
    {"top_h": 0.5},
    {"top_n_sigma": 1.5, "temperature": 0.5},
    {"xtc_probability": 0.5, "xtc_threshold": 0.05},
    {"mirostat": 1},
    {"mirostat": 2, "mirostat_tau": 3.0},
    {"adaptive_target": 0.4},
    {"adaptive_target": 0.6, "min_p": 0.02},
)
SHAPERS: tuple[dict[str, Any], ...] = (
    {"repetition_penalty": 1.1},
    {"frequency_penalty": 0.3, "presence_penalty": 0.2},
    {"penalty_scope": 12, "repetition_penalty": 1.3},
    {"dry_multiplier": 0.6, "dry_allowed_length": 3},
    {"no_repeat_ngram_size": 6},
    {"suppress_tokens": [5, 6, 7]},
    {"logit_bias": {9: 2.0, 10: -3.0}},
    {"exponential_decay_length_penalty": (6, 1.2)},
    {"min_new_tokens": 6},
)
ENDS: tuple[dict[str, Any], ...] = (
    {"stop": ["th", "e", "qu"]},
    {"stop": ["the cat", "xx"], "include_stop_str_in_output": True},
    {"stop_regex": r"[a-z]{2}[0-9]"},
    {"stop_token_ids": [77, 78, 79]},
    {"ignore_eos": True},
    {"repetition_detection": {"max_pattern_size": 3, "min_count": 4}},
    {"max_length": 40},
)
FORMS: tuple[dict[str, Any], ...] = (
    {"regex": r"(the cat )+[a-z]{3,9}[.]"},
    {"choices": ["the cat sat", "the cat slept", "a dog"]},
    {"json": True},
    {
        "json_schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "is_cat": {"type": "boolean"}},
            "required": ["name", "is_cat"],
            "additionalProperties": False,
        }
    },
)
REPORTS: tuple[dict[str, Any], ...] = (
    {"logprobs": 0},
    {"logprobs": 2, "logprobs_stage": ("raw", "processed", "final")},
    {"prompt_logprobs": 1},
    {"trace": True},
)


def repeating(vocab_size: int = VOCAB_SIZE, *, seed: int = 0, spread: float = 7.0) -> Script:
    """A script that looks two tokens back, so that texts repeat themselves, though not for ever."""
    rows: dict[tuple[int, ...], Any] = {}

    def script(history: tuple[int, ...]) -> Any:
        past = tuple(token % 9 for token in history[-2:])
        if past not in rows:
            generator = np.random.default_rng([seed, *past])
            rows[past] = (generator.standard_normal(vocab_size) * spread).astype(np.float32)
        return rows[past]

    return script


def random_wishes(number: int, *, seed: int = 0, vocab_size: int = VOCAB_SIZE) -> list[Wish]:
    """Prompts, some of which begin alike and repeat themselves, with settings of all kinds."""
    rng = random.Random(seed)
    common = [rng.randrange(vocab_size) for _ in range(24)]
    return [_random_wish(rng, common, vocab_size) for _ in range(number)]


def _random_wish(rng: random.Random, common: list[int], vocab_size: int) -> Wish:
    own = [rng.randrange(vocab_size) for _ in range(rng.randint(1, 12))]
    prompt = common[: rng.choice([0, 0, 8, 24])] + own * rng.choice([1, 1, 2, 3])
    settings: dict[str, Any] = {"max_new_tokens": rng.randint(1, 40), **rng.choice(SAMPLERS)}
    for table, chance in ((SHAPERS, 0.4), (ENDS, 0.5), (REPORTS, 0.4), (FORMS, 0.2)):
        if rng.random() < chance:
            settings |= rng.choice(table)
    if "min_new_tokens" in settings:
        settings["max_new_tokens"] += settings["min_new_tokens"]
    if settings.get("max_length", 99) <= len(prompt):
        settings.pop("max_length", None)
    if rng.random() < 0.15:
        settings |= {"guidance_scale": 1.4, "negative_prompt": own[: rng.randint(1, len(own))]}
    if "max_length" in settings:
        del settings["max_new_tokens"]
    is_greedy = settings.get("temperature") is None and not {*settings} & SAMPLING_NAMES
    if not is_greedy:
        settings["seed"] = rng.randrange(2**32)
        if rng.random() < 0.25:
            settings["num_return_sequences"] = rng.randint(2, 4)
    return prompt, settings


SAMPLING_NAMES = {name for table in SAMPLERS for name in table} - {"dialect", "dynatemp_range"}


def read_together(llm: LLM, wishes: Sequence[Wish]) -> list[list[Chunk]]:
    """The chunks of each request, read in turns, so that all of them run at once."""
    streams = {index: llm.stream(prompt, **given) for index, (prompt, given) in enumerate(wishes)}
    chunks: list[list[Chunk]] = [[] for _ in wishes]
    while streams:
        for index, stream in [*streams.items()]:
            chunk = next(stream, None)
            if chunk is None:
                del streams[index]
            else:
                chunks[index].append(chunk)
    return [_by_sample(read) for read in chunks]


def _by_sample(chunks: list[Chunk]) -> list[Chunk]:
    """Sample after sample; what depends on time and on the company is taken out."""
    return [replace(chunk, output=None) for chunk in sorted(chunks, key=lambda chunk: chunk.index)]


def finished(llm: LLM, wishes: Sequence[Wish]) -> list[list[Any]]:
    """What the outputs say of each request, but for times and company."""
    told = []
    for prompt, given in wishes:
        outputs = llm.generate([prompt], **given)
        told.append(
            [
                (one.text, one.token_ids, one.stop_reason, one.usage.completion_tokens)
                for one in outputs
            ]
        )
    return told


class Eager(LookupDrafter):
    """Computes whatever it finds, whether it pays or not."""

    def propose(
        self, followers: Sequence[LookupFollower], most: int, step_seconds: float
    ) -> list[Draft]:
        """The same drafts, as if they were certain."""
        found = super().propose(followers, most, step_seconds)
        return [Draft(draft.tokens, [1.0] * len(draft.tokens)) for draft in found]


def token_by_token(llm: LLM) -> LLM:
    """The same LLM, which computes nothing ahead, not even what a form leaves no choice to."""
    engine_of(llm)._scheduler._is_exact = False
    return llm


def drafting_with(llm: LLM, drafter: Any) -> LLM:
    """The same LLM, with another drafter; before its first request."""
    speculator = engine_of(llm)._speculator
    speculator._drafter, speculator.guesses = drafter, True
    engine_of(llm)._scheduler._looks_ahead = True
    return llm
