"""Drafts change nothing: texts, reports, stops and books are those of one token a step."""

import pytest
from support.engine_oracle import VOCAB, answer_by_hand, run, scripted

from benchmarks.stress.answers import request
from benchmarks.stress.prompter import Prompter
from foretell.engine.engine import Engine

PROMPT = [1, 2, 3, 4, 5, 6]
SAMPLING = {"max_new_tokens": 23, "temperature": 1.3, "seed": 11}
KINDS = (
    {},
    {"logprobs": 2},
    {"temperature": None, "repetition_penalty": 1.3},
    {"temperature": None, "mirostat": 2, "logprobs": 0},
    {"mirostat": 1, "temperature": None},
    {"adaptive_target": 0.3, "temperature": None},
    {"dry_multiplier": 0.8, "top_k": 5},
    {"xtc_probability": 0.5, "xtc_threshold": 0.02},
    {"no_repeat_ngram_size": 2, "logprobs": 1, "logprobs_stage": ("raw", "final")},
    {"min_new_tokens": 9, "eos_token_ids": frozenset({3})},
    {"stop_token_ids": [7]},
    {"trace": True, "top_p": 0.9},
    {"num_return_sequences": 3},
    {"num_return_sequences": 3, "mirostat": 2, "temperature": None},
    {"negative_prompt": [4, 4, 2, 1, 1, 5, 6, 7, 8], "guidance_scale": 1.5},
    {"negative_prompt": [4], "guidance_scale": 1.5, "num_return_sequences": 2, "logprobs": 1},
    {"prompt_logprobs": 1},
)


def wish_for(kind, **others):
    return request(PROMPT, **SAMPLING | kind | others)


def prompted(*wishes, errors=0.2, seed=0):
    """A drafter that knows what these will be answered."""
    prompter = Prompter(VOCAB, seed=seed, errors=errors)
    for wish in wishes:
        for sample in answer_by_hand(wish).samples.values():
            prompter.texts.append([*wish.prompt, *sample.tokens])
    return prompter


def only_answer(engine, wish):
    engine.add(wish)
    (answer,) = run(engine).values()
    return answer


@pytest.mark.parametrize("errors", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_request_is_answered_as_without(kind, errors):
    wish = wish_for(kind)
    engine = Engine(scripted(), drafter=prompted(wish, errors=errors))
    assert only_answer(engine, wish) == only_answer(Engine(scripted()), wish)
    if not kind.get("trace"):
        assert only_answer(engine, wish) == answer_by_hand(wish)
    assert engine.num_free_blocks == engine.stats().num_blocks
    assert engine.stats().draft_tokens
    if not errors:
        assert engine.stats().steps < Engine_steps(wish)


def Engine_steps(wish):
    engine = Engine(scripted())
    only_answer(engine, wish)
    only_answer(engine, wish)
    return engine.stats().steps
