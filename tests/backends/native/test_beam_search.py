"""Beam search the whole way, backend and engine included, against transformers' `generate`.

A random Llama and a random GPT-2 in float32, on the native backend and on transformers'; all
searches run at once in one engine.
"""

import random

import numpy as np
import pytest
import torch
from support.family_files import GPT2, make_family
from support.llama_files import make_model

from foretell.backends.native.backend import NativeBackend
from foretell.backends.transformers.backend import TransformersBackend
from foretell.config import GenerationConfig
from foretell.engine.engine import Engine
from foretell.engine.request import Request
from foretell.formats.checkpoint import Checkpoint

NUM_SETTINGS = 200  # of each model
NUM_BLOCKS = 2000
VOCAB = 160
PAD = 0


def random_settings(number):
    """What `generate` is called with: settings, end-of-sequence ids, prompts of unequal length."""
    choose = random.Random(number)
    beams = choose.choice([2, 3, 4, 5, 8])
    settings = {
        "num_beams": beams,
        "num_return_sequences": choose.randint(1, beams),
        "length_penalty": choose.choice([0.0, 1.0, 0.5, 2.0, -1.0]),
        "early_stopping": choose.choice([True, False, "never"]),
        "max_new_tokens": choose.randint(1, 14),
    }
    eos = choose.sample(range(1, VOCAB), choose.choice([0, 1, 1, 4, 20]))
    if choose.random() < 0.4:
        settings["repetition_penalty"] = choose.choice([1.2, 1.5, 0.8])
        settings["renormalize_logits"] = choose.random() < 0.5
    if choose.random() < 0.3:
        settings["no_repeat_ngram_size"] = choose.choice([2, 3])
    if choose.random() < 0.3 and eos:
        settings["min_new_tokens"] = choose.randint(1, min(5, settings["max_new_tokens"]))
    prompts = [
        [choose.randrange(1, VOCAB) for _ in range(choose.randint(1, 20))]
        for _ in range(choose.randint(1, 3))
    ]
    return settings, eos, prompts


def theirs(model, settings, eos, prompts):
    """For each prompt the generated ids and the scores, best first.

    Prompts of one batch are padded, and transformers' penalties and n-gram bans count the padding
    as text: with these, each prompt goes alone.
    """
    if len(prompts) > 1 and {"repetition_penalty", "no_repeat_ngram_size"} & {*settings}:
        return [theirs(model, settings, eos, [prompt])[0] for prompt in prompts]
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    found = model.generate(
        ids,
        attention_mask=mask,
        do_sample=False,
        eos_token_id=eos or None,
        pad_token_id=PAD,
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    count = settings["num_return_sequences"]
    tokens = found.sequences[:, longest:].tolist()
    scores = found.sequences_scores.tolist()
    return [
        (tokens[at : at + count], scores[at : at + count]) for at in range(0, len(tokens), count)
    ]


def llama():
    model = make_model(seed=3)
    return model, [model.model.norm.weight]


def gpt2():
    model = make_family(GPT2, seed=3, vocab_size=VOCAB)
    norm = model.transformer.ln_f
    return model, [norm.weight, norm.bias]


@pytest.fixture(scope="module", params=[llama, gpt2])
def model(request):
    """Its logits are small, so that float32's errors in them are."""
    model, last_norm = request.param()
    with torch.no_grad():
        for weight in last_norm:
            weight.mul_(0.25)
    return model


@pytest.fixture(scope="module")
def engines(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("beams")
    model.save_pretrained(folder)
    with Checkpoint.open(folder) as checkpoint:
        native = NativeBackend.load(
            checkpoint, activations="float32", kv_dtype="float32", num_blocks=NUM_BLOCKS, threads=1
        )
    return Engine(native), Engine(TransformersBackend(model, num_blocks=NUM_BLOCKS))


@pytest.fixture(scope="module")
def answers(engines):
    """What each of the engines answers."""
    return [answer_all(engine) for engine in engines]


def answer_all(engine):
    """By number of settings and prompt: the samples' tokens and scores."""
    ids, found = {}, {}
    for number in range(NUM_SETTINGS):
        settings, eos, prompts = random_settings(number)
        config = GenerationConfig(**settings)
        for place, prompt in enumerate(prompts):
            request = Request(prompt, config, eos_token_ids=frozenset(eos))
            ids[engine.add(request)] = number, place
    while engine.has_work:
        for event in engine.step():
            tokens, scores = found.setdefault(ids[event.request_id], ({}, {}))
            tokens.setdefault(event.sample, []).append(event.token_id)
            if event.score is not None:
                scores[event.sample] = event.score
    assert engine.num_free_blocks == NUM_BLOCKS
    return found


@pytest.mark.parametrize("first", range(0, NUM_SETTINGS, 20))
def test_texts_and_scores_are_transformers(model, answers, first):
    for number in range(first, first + 20):
        settings, eos, prompts = random_settings(number)
        fill = {eos[0]} if eos else {PAD, -1}
        for place, (expected, scores) in enumerate(theirs(model, settings, eos, prompts)):
            for found in answers:
                tokens, found_scores = found[number, place]
                assert sorted(tokens) == list(range(settings["num_return_sequences"]))
                for sample, line in enumerate(expected):
                    ours = tokens[sample]
                    assert line[: len(ours)] == ours, (number, place, sample)
                    assert {*line[len(ours) :]} <= fill | {PAD}
                ours = [found_scores[sample] for sample in sorted(found_scores)]
                np.testing.assert_allclose(ours, scores, rtol=1e-4, atol=1e-5)
