"""Requests for served.py: what is sent, what a model alone makes of it, what came back.

The settings are those of benchmarks/oracles/seeded_texts.py that JSON can hold. What came back is
compared by texts, token ids, ends, and every log-probability as a float.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.oracles.seeded_texts import PROMPTS, make_requests
from foretell import LLM, ForetellError, GenerationOutput
from foretell.config.settings import CHOOSING_SETTINGS

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"

Told = dict[str, Any]
"""A choice: its text, ids, end and log-probabilities."""


@dataclass(frozen=True)
class Wish:
    """A request: where it is sent, its body, and the same for `LLM`."""

    path: str
    body: Mapping[str, Any]
    prompt: Any
    settings: Mapping[str, Any]

    @property
    def streams(self) -> bool:
        """Whether the answer is to come as a stream."""
        return bool(self.body.get("stream"))


def make_wishes(count: int, seed: int, prompts: tuple[Any, ...] = PROMPTS) -> list[Wish]:
    """Requests at random: chats and completions, whole and streamed, some with much in common."""
    rng = random.Random(seed)
    found: list[Wish] = []
    for place, settings, _ in make_requests(4 * count, seed):
        plain = {name: value for name, value in settings.items() if name != "trace"}
        if len(found) < count and _is_plain(plain):
            found.append(_wish(prompts[place % len(prompts)], plain, rng))
    return found


def _is_plain(settings: Mapping[str, Any]) -> bool:
    """Whether JSON can hold it, and an answer of OpenAI's form what it asks for."""
    try:
        json.dumps(settings)
    except TypeError:
        return False
    has_one_stage = not isinstance(settings.get("logprobs_stage", ""), (list, tuple))
    return has_one_stage and settings.get("logprobs", 0) <= 20


def _wish(prompt: Any, settings: dict[str, Any], rng: random.Random) -> Wish:
    body = dict(settings)
    if not CHOOSING_SETTINGS & settings.keys():
        body["do_sample"] = False
    num_top = body.pop("logprobs", None)
    body |= {"stream": rng.random() < 0.5, "return_token_ids": True}
    if not isinstance(prompt, str) or rng.random() < 0.5:
        if num_top is not None:
            body["logprobs"] = num_top
        return Wish(COMPLETIONS, {**body, "prompt": prompt}, prompt, settings)
    if num_top is not None:
        body |= {"logprobs": True, "top_logprobs": num_top}
    messages = [{"role": "user", "content": prompt}]
    return Wish(CHAT, {**body, "messages": messages}, messages, settings)


def alone(llm: LLM, wish: Wish) -> list[Told] | None:
    """What a model answers that does nothing else; None where it refuses."""
    run = llm.chat if wish.path == CHAT else llm.generate
    try:
        found = run(wish.prompt, **wish.settings)
    except ForetellError:
        return None
    outputs = found if isinstance(found, list) else [found]
    return [_told(output, wish) for output in outputs]


def _told(output: GenerationOutput, wish: Wish) -> Told:
    logprobs = None
    if output.logprobs is not None:
        logprobs = [
            (_finite(one.logprob), sorted(_finite(top.logprob) for top in one.top))
            for one in output.logprobs
        ]
        if wish.path == COMPLETIONS:
            logprobs = [(one, sorted({one, *top})) for one, top in logprobs]
    return {
        "text": output.text,
        "ids": output.token_ids,
        "end": output.finish_reason,
        "score": output.score,
        "logprobs": logprobs,
    }


def _finite(logprob: float | None) -> float:
    """As JSON has it, where what is ruled out is -9999."""
    return -9999.0 if logprob is None or logprob == -math.inf else logprob


def of_whole(answer: Mapping[str, Any]) -> list[Told]:
    """The choices of a whole answer."""
    return [_of_choice(choice) for choice in answer["choices"]]


def of_stream(events: Iterable[Mapping[str, Any]]) -> list[Told]:
    """The choices of a stream, put together."""
    found: dict[int, Told] = {}
    for event in events:
        for choice in event["choices"]:
            part = _of_choice(choice)
            whole = found.setdefault(choice["index"], part)
            if whole is not part:
                _add(whole, part)
    return [found[index] for index in sorted(found)]


def _add(whole: Told, part: Told) -> None:
    assert whole["end"] is None, "something came after the end"
    whole["text"] += part["text"]
    whole["ids"] = whole["ids"] + part["ids"]
    if part["logprobs"] is not None:
        whole["logprobs"] = (whole["logprobs"] or []) + part["logprobs"]
    whole["end"], whole["score"] = part["end"], part["score"]


def _of_choice(choice: Mapping[str, Any]) -> Told:
    message = choice.get("message", choice.get("delta"))
    text = choice["text"] if message is None else message.get("content") or ""
    return {
        "text": text,
        "ids": choice.get("token_ids") or [],
        "end": choice["finish_reason"],
        "score": choice.get("score"),
        "logprobs": _logprobs(choice.get("logprobs")),
    }


def _logprobs(found: Mapping[str, Any] | None) -> list[tuple[float, list[float]]] | None:
    if found is None:
        return None
    if "content" in found:
        return [
            (one["logprob"], sorted(top["logprob"] for top in one["top_logprobs"]))
            for one in found["content"]
        ]
    tops = found["top_logprobs"]
    return [
        (one, sorted(set(top.values())))
        for one, top in zip(found["token_logprobs"], tops, strict=True)
    ]
