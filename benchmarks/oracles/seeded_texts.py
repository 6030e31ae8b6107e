"""Two hundred seeded requests and what a model makes of them: one hash, to hold two trees alike.

    python -m benchmarks.oracles.seeded_texts smollm2-135m-instruct --save before.jsonl
    python -m benchmarks.oracles.seeded_texts smollm2-135m-instruct --against before.jsonl

The list follows from a seed alone. Each request has two settings of `FEATURES` by turns, and often
a third: every sampler, penalty, mask, length, stop, report, dialect, preset, guidance, several
samples and beams, each at least three times. After the texts come the views: `next`, `score`,
`explain`, `beams`, `compare`, chats and streams. All goes through `foretell`'s public names.

The hash is over everything that is answered but seconds: ids, texts, ends, scores, and each float
as its bits. With `--against`, the exit code is 1 if anything differs, and each difference is told.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import itertools
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from foretell import (
    LLM,
    ConfigError,
    Conversation,
    ForetellError,
    GenerationConfig,
    GenerationOutput,
)

MAX_NEW_TOKENS = 24
LEAST_OF_EACH = 3
NOT_HELD = {"time_to_first_token", "decode_seconds", "seconds", "tokens_per_second", "model"}
"""Keys that tell of seconds, or (a comparison's `model`) of threads."""

Settings = dict[str, Any]
Feature = Callable[[random.Random], Settings]

PROMPTS: tuple[str | list[int] | list[str], ...] = (
    "The cat sat on the",
    "Once upon a time, in a village by the sea,",
    "def add(a, b):\n    ",
    "The capital of France is Paris. The capital of Italy is",
    "고양이가 창가에 앉아",
    "one two three one two three one two",
    "Q: What is 2 + 2?\nA:",
    "The dog saw a bird. The bird saw the dog. The dog",
    " ".join(["She opened the letter, and read it again."] * 12),
    [504, 2644, 3219, 335, 260],
    ["The sun is", "My favourite animal is the", "In 1969,"],
)

MESSAGES = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "Why is the sky blue? <|im_end|>"},
]


def second_best_banned(logits: Any) -> None:
    """A processor of the user's: the likeliest token is taken out."""
    logits[logits.argmax()] = -float("inf")


def doubled(logits: Any, history: Any) -> None:
    """A processor that sees the history too."""
    logits *= 1.0 + 0.01 * ((len(history.tokens) - history.num_prompt_tokens + history.index) % 7)


def thousand_allowed(ids: list[int]) -> list[int]:
    """Which ids may come next."""
    first = (len(ids) * 37) % 900
    return list(range(first + 100, first + 1100))


def long_enough(text: str, ids: list[int]) -> bool:
    """Whether to stop."""
    return len(ids) >= 7


def _ids(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(100, 5000) for _ in range(count)]


def _of(name: str, *values: Any) -> Feature:
    """One of these values for a setting."""
    return lambda rng: {name: rng.choice(values)}


def _with(feature: Feature, **settings: Any) -> Feature:
    """A feature, and settings that it needs."""
    return lambda rng: {**settings, **feature(rng)}


WARM: Settings = {"temperature": 1.0}
XTC: Settings = {"xtc_probability": 0.5, "xtc_threshold": 0.08}
COUNTS: Settings = {"presence_penalty": 0.6, "frequency_penalty": 0.4, "repetition_penalty": 1.15}
DRY: Settings = {"dry_multiplier": 0.8, "dry_allowed_length": 1}

FEATURES: dict[str, Feature] = {
    "greedy": lambda rng: {},
    "do_sample": _of("do_sample", True),
    "temperature": lambda rng: {"temperature": round(rng.uniform(0.2, 1.8), 2)},
    "temperature 0": _of("temperature", 0),
    "dynatemp": _with(_of("dynatemp_range", 0.3, 0.7), temperature=1.0),
    "dynatemp_exponent": _with(_of("dynatemp_exponent", 0.5, 2.0), dynatemp_range=0.5, **WARM),
    "top_k": lambda rng: {"top_k": rng.randrange(1, 60)},
    "top_p": lambda rng: {"top_p": round(rng.uniform(0.3, 0.99), 2)},
    "min_p": lambda rng: {"min_p": round(rng.uniform(0.01, 0.3), 2)},
    "typical_p": _of("typical_p", 0.5, 0.9),
    "epsilon_cutoff": _of("epsilon_cutoff", 3e-4, 0.01),
    "eta_cutoff": _of("eta_cutoff", 3e-4, 0.01),
    "top_h": _of("top_h", 0.3, 0.7),
    "top_n_sigma": _of("top_n_sigma", 1.0, 1.5),
    "xtc": _with(_of("xtc_probability", 0.3, 1.0), xtc_threshold=0.1),
    "xtc_threshold": _with(_of("xtc_threshold", 0.05, 0.3), xtc_probability=0.7),
    "xtc_exempt_tokens": lambda rng: {**XTC, "xtc_exempt_tokens": _ids(rng, 400)},
    "mirostat 1": _with(_of("mirostat_tau", 3.0, 5.0), mirostat=1),
    "mirostat 2": _with(_of("mirostat_eta", 0.1, 0.5), mirostat=2),
    "adaptive": _of("adaptive_target", 0.2, 0.6),
    "adaptive_decay": _with(_of("adaptive_decay", 0.5, 0.95), adaptive_target=0.4),
    "min_tokens_to_keep": _with(_of("min_tokens_to_keep", 2, 5), top_p=0.2),
    "repetition_penalty": _of("repetition_penalty", 1.1, 1.5, 0.8),
    "frequency_penalty": _of("frequency_penalty", 0.5, -0.5, 1.5),
    "presence_penalty": _of("presence_penalty", 0.5, -0.5, 1.5),
    "penalty_scope": _with(_of("penalty_scope", "prompt", "output", "all", 8), **COUNTS),
    "penalty_exempt_tokens": lambda rng: {**COUNTS, "penalty_exempt_tokens": _ids(rng, 900)},
    "dry": _with(_of("dry_multiplier", 0.8, 3.0)),
    "dry_base": _with(_of("dry_base", 1.2, 3.0), **DRY),
    "dry_allowed_length": _with(_of("dry_allowed_length", 0, 1, 3), dry_multiplier=1.5),
    "dry_penalty_last_n": _with(_of("dry_penalty_last_n", 4, 16), **DRY),
    "dry_sequence_breakers": _with(_of("dry_sequence_breakers", [" the", "."], ["\n"]), **DRY),
    "no_repeat_ngram_size": _of("no_repeat_ngram_size", 1, 2, 3),
    "bad_words": _of("bad_words", ["the", " the", " cat"], [" and", "."]),
    "bad_words_ids": lambda rng: {"bad_words_ids": [_ids(rng, 1), _ids(rng, 2), [260]]},
    "allowed_token_ids": lambda rng: {"allowed_token_ids": _ids(rng, 800)},
    "suppress_tokens": lambda rng: {"suppress_tokens": [*range(rng.randrange(200, 400))]},
    "begin_suppress_tokens": lambda rng: {"begin_suppress_tokens": [*range(250, 3000)]},
    "logit_bias": _of("logit_bias", {" the": 3.0, 260: -5.0}, {" a": -4.0}, {".": 6.5}),
    "sequence_bias": _of("sequence_bias", {(260,): -4.0, (260, 2644): 8.0}, {(30, 198): 5.0}),
    "min_length": _of("min_length", 20, 30),
    "min_new_tokens": _with(_of("min_new_tokens", 5, 20), stop=["."]),
    "forced_bos_token_id": _of("forced_bos_token_id", 260, 504),
    "forced_eos_token_id": _of("forced_eos_token_id", 2, 30),
    "exponential_decay": _of("exponential_decay_length_penalty", (2, 1.3), (8, 1.05)),
    "prefix_allowed_tokens_fn": _of("prefix_allowed_tokens_fn", thousand_allowed),
    "remove_invalid_values": _of("remove_invalid_values", True),
    "renormalize_logits": _of("renormalize_logits", True),
    "logits_processor": _of("logits_processor", second_best_banned, [doubled, second_best_banned]),
    "processors": _of(
        "processors",
        ["top_k", doubled, "temperature", "top_p", "min_p"],
        ["temperature", "min_p", "top_p", "top_k", "repetition_penalty"],
    ),
    "guidance": _of("guidance_scale", 1.5, 3.0),
    "negative_prompt": _with(_of("negative_prompt", "A dog", "Sadly,"), guidance_scale=2.0),
    "dialect vllm": _of("dialect", "vllm"),
    "dialect vllm, greedy": _with(_of("dialect", "vllm"), temperature=0),
    "dialect llama.cpp": _of("dialect", "llama.cpp"),
    "dialect llama.cpp, penalties": _with(_of("dialect", "llama.cpp"), **COUNTS),
    "dialect transformers": _with(_of("dialect", "transformers"), **WARM, top_k=7),
    **{
        f"preset {name}": _of("preset", name)
        for name in ("code", "creative", "chat", "summary", "greedy", "precise")
    },
    "max_length": _of("max_length", 30, 150, 170),
    "max_time": _of("max_time", 1e6),
    "eos_token_id": lambda rng: {"eos_token_id": [*range(rng.randrange(2, 300))]},
    "ignore_eos": _of("ignore_eos", True),
    "stop_token_ids": lambda rng: {"stop_token_ids": [*range(250, rng.randrange(260, 700))]},
    "stop": _of("stop", ".", [" the", "\n"], ["e", "and"]),
    "include_stop": _with(_of("stop", ".", [" the", "\n"]), include_stop_str_in_output=True),
    "stop_regex": _of("stop_regex", "[aeiou] [a-z]", [r"\d", r"\.\s"]),
    "repetition_detection": _of(
        "repetition_detection", True, {"max_pattern_size": 4, "min_count": 2}
    ),
    "stopping_criteria": _of("stopping_criteria", long_enough),
    "samples": _with(_of("num_return_sequences", 2, 3, 4), **WARM),
    "beams": _of("num_beams", 2, 3, 5, 8),
    "beams, early_stopping": _with(_of("early_stopping", True, "never"), num_beams=4),
    "beams, length_penalty": _with(_of("length_penalty", -1.0, 0.0, 0.5, 2.0), num_beams=4),
    "beams, texts": _with(_of("num_return_sequences", 2, 3), num_beams=3, early_stopping=True),
    "beams, sampled": _with(_of("num_beams", 2, 4), do_sample=True, temperature=1.3),
    "logprobs": _of("logprobs", 0, 1, 5),
    "logprobs_stage": _with(
        _of(
            "logprobs_stage", "processed", "final", ("raw", "final"), ("raw", "processed", "final")
        ),
        logprobs=2,
    ),
    "prompt_logprobs": _of("prompt_logprobs", 0, 3),
    "trace": _of("trace", True),
    "trace, warm": _with(_of("trace", True), temperature=0.9, top_k=30, top_p=0.9),
}


def make_requests(count: int, seed: int) -> list[tuple[int, Settings, list[str]]]:
    """Prompt, settings and names of features of each request; those that are refused are not."""
    rng = random.Random(seed)
    turns = _turns(rng)
    found: list[tuple[int, Settings, list[str]]] = []
    while len(found) < count:
        settings: Settings = {"max_new_tokens": MAX_NEW_TOKENS, "seed": rng.randrange(2**32)}
        names: list[str] = []
        for name in (next(turns), next(turns), rng.choice([*FEATURES])):
            together = {**settings, **FEATURES[name](rng)}
            if name not in names and _is_legal(together):
                settings = together
                names.append(name)
        if settings.get("num_beams", 1) == 1:
            settings["logprobs"] = settings.get("logprobs", rng.choice((0, 0, 2)))
        found.append((rng.randrange(len(PROMPTS)), settings, names))
    return found


def _turns(rng: random.Random) -> Iterator[str]:
    """All features again and again, each time in another order."""
    while True:
        yield from rng.sample([*FEATURES], len(FEATURES))


def _is_legal(settings: Settings) -> bool:
    try:
        GenerationConfig(**settings)
    except ConfigError:
        return False
    return True


def exact(value: Any) -> Any:
    """Plain data with each float as its bits; functions by name; nothing of `NOT_HELD`."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else repr(key): exact(item)
            for key, item in value.items()
            if key not in NOT_HELD
        }
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    return value.__name__ if callable(value) else value


def sha256(value: Any) -> str:
    """Of the data as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def told(output: GenerationOutput) -> dict[str, Any]:
    """What is kept of an output: the figures that people look at, and a hash of all."""
    return {
        "token_ids": output.token_ids,
        "text": output.text,
        "logprobs": exact([one.logprob for one in output.logprobs or ()]),
        "finish_reason": output.finish_reason,
        "stop_reason": exact(output.stop_reason and output.stop_reason.to_dict()),
        "score": exact(output.score),
        "all": sha256(exact(output.to_dict())),
    }


def answer(run: Callable[[], Any]) -> Any:
    """What was answered, or the error."""
    try:
        found = run()
    except ForetellError as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(found, GenerationOutput):
        return [told(found)]
    if isinstance(found, list):
        return [told(one) for one in found]
    return found


def run_texts(llm: LLM, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """The requests, one by one."""
    for number, (place, settings, names) in enumerate(make_requests(count, seed)):
        prompt = PROMPTS[place]
        yield {
            "request": f"text {number}",
            "features": names,
            "prompt": prompt,
            "settings": exact(settings),
            "answer": answer(lambda: llm.generate(prompt, **settings)),  # noqa: B023  run at once
        }


def run_views(llm: LLM) -> Iterator[dict[str, Any]]:
    """What else can be asked of a model."""
    warm: Settings = {"temperature": 0.9, "top_k": 20, "top_p": 0.9, "seed": 5}
    short: Settings = {"max_new_tokens": 6}
    prompt = "The cat sat on the"
    views: dict[str, Callable[[], Any]] = {
        "next": lambda: _view(llm.next(prompt, 12)),
        "next, warm": lambda: _view(llm.next(prompt, 12, **_without_seed(warm))),
        "next, penalties": lambda: _view(llm.next("the the cat cat the", 12, **COUNTS, **DRY)),
        "next, llama.cpp": lambda: _view(llm.next(prompt, 50, dialect="llama.cpp")),
        "score": lambda: _view(llm.score("The cat sat on the mat, and slept.", 3)),
        "score, ids": lambda: _view(llm.score([504, 2644, 3219, 335, 260])),
        "explain": lambda: _view(llm.explain(prompt, **short, **warm)),
        "explain, greedy": lambda: _view(llm.explain(prompt, **short, repetition_penalty=1.3)),
        "explain, mirostat": lambda: _view(llm.explain(prompt, **short, mirostat=2, seed=1)),
        "beams": lambda: _view(llm.beams(prompt, **short)),
        "beams, early": lambda: _view(
            llm.beams(prompt, num_beams=3, early_stopping=True, stop=".", **short)
        ),
        "beams, sampled": lambda: _view(
            llm.beams(prompt, num_beams=3, do_sample=True, temperature=1.4, seed=2, **short)
        ),
        "beams, never": lambda: _view(
            llm.beams(prompt, num_beams=4, early_stopping="never", length_penalty=0.3, **short)
        ),
        "compare": lambda: exact(llm.compare(prompt, seeds=2, max_new_tokens=12).to_dict()),
        "compare, own": lambda: exact(
            llm.compare(prompt, {"a": {}, "b": warm, "c": {"num_beams": 3}}, **short).to_dict()
        ),
        "chat": lambda: llm.chat(MESSAGES, max_new_tokens=MAX_NEW_TOKENS),
        "chat, model's preset": lambda: llm.chat(MESSAGES, preset="model", seed=3, **short),
        "stream": lambda: [exact(one.to_dict()) for one in llm.stream(prompt, **warm, **short)],
        "stream, samples": lambda: [
            exact(one.to_dict())
            for one in llm.stream(
                [prompt, "A dog"], num_return_sequences=2, logprobs=1, **warm, **short
            )
        ],
        "conversation": lambda: _talk(llm),
    }
    for name, run in views.items():
        try:
            found = run()
        except ForetellError as error:
            found = f"{type(error).__name__}: {error}"
        if isinstance(found, GenerationOutput):
            found = [told(found)]
        yield {"request": f"view {name}", "answer": found, "all": sha256(found)}


def _view(found: Any) -> dict[str, Any]:
    """A hash of the data, and the lines for people, of those that have such."""
    shown = str(found).splitlines() if type(found).__str__ is not object.__str__ else []
    return {"data": sha256(exact(found.to_dict())), "shown": shown}


def _without_seed(settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if name != "seed"}


def _talk(llm: LLM) -> list[Any]:
    conversation = Conversation(llm, system="Answer in one sentence.")
    return [
        "".join(chunk.text for chunk in conversation.say(line, max_new_tokens=12))
        for line in ("Why is the sky blue?", "And at night?")
    ]


def differences(found: list[dict[str, Any]], before: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each request that is not as it was."""
    for one, other in itertools.zip_longest(found, before):
        if one is None or other is None:
            yield f"{(one or other)['request']}: only {'before' if one is None else 'now'}"
        elif one != other:
            parts = sorted(key for key in {**one, **other} if one.get(key) != other.get(key))
            yield f"{one['request']} {one.get('features', '')}: {', '.join(parts)} differ"
            yield f"    before: {_shown(other, parts[0])}\n    now:    {_shown(one, parts[0])}"


def _shown(one: dict[str, Any], part: str) -> str:
    return json.dumps(one.get(part), ensure_ascii=False)[:600]


def check_coverage(count: int, seed: int) -> None:
    """Say so if a feature is there too seldom."""
    times = collections.Counter(
        name for _, _, names in make_requests(count, seed) for name in names
    )
    seldom = [name for name in FEATURES if times[name] < LEAST_OF_EACH]
    if seldom:
        print(f"fewer than {LEAST_OF_EACH} times each: {', '.join(seldom)}", file=sys.stderr)


def main() -> None:
    """Run, print the hash, save, compare."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name or path")
    parser.add_argument("--requests", type=int, default=200, help="how many texts (default 200)")
    parser.add_argument("--seed", type=int, default=10, help="of the list (default 10)")
    parser.add_argument("--threads", type=int, help="to compute with (default: all cores)")
    parser.add_argument("--save", type=Path, help="write one JSON line a request")
    parser.add_argument("--against", type=Path, help="compare with what was saved")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    check_coverage(arguments.requests, arguments.seed)
    start = time.perf_counter()
    with LLM(arguments.model, threads=arguments.threads) as llm:
        texts = run_texts(llm, arguments.requests, arguments.seed)
        found = json.loads(json.dumps([*texts, *run_views(llm)]))
    seconds = time.perf_counter() - start
    failed = sum(isinstance(one["answer"], str) for one in found)
    print(f"{len(found)} requests, {failed} of them errors, {seconds:.0f} s", file=sys.stderr)
    print(sha256(found))
    if arguments.save:
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in found)
        arguments.save.write_text("".join(lines), encoding="utf-8")
    if arguments.against:
        before = [json.loads(line) for line in arguments.against.read_text("utf-8").splitlines()]
        told_lines = list(differences(found, before))
        print("\n".join(told_lines) or "all equal, bit for bit")
        sys.exit(1 if told_lines else 0)


if __name__ == "__main__":
    main()
