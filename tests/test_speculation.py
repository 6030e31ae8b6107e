"""Speculation changes nothing: every chunk of text, token and log-probability, bit for bit.

FORETELL_SPECULATION=500 runs as many random requests in each way.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest
from support.speculated import (
    Eager,
    drafting_with,
    finished,
    random_wishes,
    read_together,
    repeating,
    token_by_token,
)
from support.toy import VOCAB_SIZE, engine_of, toy_llm, toy_tokenizer

from foretell import LLM, AsyncLLM, ConfigError
from foretell.backends.scripted import ScriptedBackend
from foretell.decoding.drafts.lookup import LookupDrafter
from foretell.engine.draft_model import DraftModel

NUM_REQUESTS = int(os.environ.get("FORETELL_SPECULATION", "60"))
DRAFTERS = {"lookup": LookupDrafter, "eager": Eager}


def groups(wishes, size):
    return [wishes[start : start + size] for start in range(0, len(wishes), size)]


def check(make, drafter, wishes, *, size, preempts=False):
    """All requests in groups of a size, by one LLM without and one with a drafter."""
    with token_by_token(make()) as plain, drafting_with(make(), drafter) as fast:
        for group in groups(wishes, size):
            expected, found = read_together(plain, group), read_together(fast, group)
            for wish, one, other in zip(group, found, expected, strict=True):
                assert one == other, wish
        before, after = plain.stats(), fast.stats()
        if size == 1:  # of others' texts the end is noticed once their readers come
            assert after.generated_tokens == before.generated_tokens
        assert after.free_blocks == after.num_blocks
        assert after.accepted_tokens <= after.draft_tokens
        assert not before.draft_tokens
        assert not preempts or (before.preemptions and after.preemptions)
        return before, after


@pytest.mark.parametrize("name", DRAFTERS)
@pytest.mark.parametrize("size", [1, 5])
def test_of_a_script_that_repeats_itself(name, size):
    wishes = random_wishes(NUM_REQUESTS, seed=size)
    make = lambda: toy_llm(repeating(), num_blocks=2000)  # noqa: E731
    before, after = check(make, DRAFTERS[name](), wishes, size=size)
    if name == "eager":
        assert after.accepted_tokens > 50
        assert after.steps < before.steps


@pytest.mark.parametrize("name", DRAFTERS)
def test_where_requests_are_preempted(name):
    wishes = random_wishes(2 * NUM_REQUESTS, seed=9)
    too_large = {"guidance_scale", "num_return_sequences"}  # both together
    wishes = [wish for wish in wishes if not too_large <= {*wish[1]}]
    settings = {"num_blocks": 60, "block_size": 4}
    check(lambda: toy_llm(repeating(), **settings), DRAFTERS[name](), wishes, size=6, preempts=True)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.torch
def test_on_kernels(tmp_path, threads):
    from support.llama_files import make_model, write_model

    from foretell.backends.native.backend import NativeBackend
    from foretell.formats.gguf import GGUFFile

    path = write_model(tmp_path / "tiny.gguf", make_model(vocab_size=VOCAB_SIZE), "Q8_0")

    def make():
        with GGUFFile.open(path) as file:
            backend = NativeBackend.load(file, threads=threads, num_blocks=48)
        return LLM(backend, tokenizer=toy_tokenizer(), speculation=None)

    _, after = check(make, Eager(), random_wishes(NUM_REQUESTS, seed=threads), size=4)
    assert after.accepted_tokens


@pytest.mark.model
def test_on_the_default_model(default_model_path):
    wishes = [
        ("Red, green, blue, red, green, blue, red, green,", {"max_new_tokens": 30}),
        (
            "A cat, a dog. A cat, a dog. A cat,",
            {"max_new_tokens": 30, "temperature": 0.5, "seed": 3},
        ),
        ("1, 2, 3, 4, 5,", {"max_new_tokens": 30, "logprobs": 2, "stop": ["19"]}),
        ("one two one two one", {"max_new_tokens": 20, "mirostat": 2, "seed": 1, "trace": True}),
    ]
    with LLM(default_model_path, speculation=None) as plain, LLM(default_model_path) as fast:
        assert read_together(fast, wishes) == read_together(plain, wishes)
        assert fast.stats().accepted_tokens > 10
        assert fast.generate(*wishes[0][:1], **wishes[0][1]).usage.accepted_tokens


@pytest.mark.parametrize("sizes", [{"num_blocks": 400}, {"num_blocks": 9}, {"context_length": 30}])
@pytest.mark.parametrize("seed", [0, 1])
def test_with_a_draft_model(sizes, seed):
    """One that is always right where nothing is drawn, and one that is as good as never."""
    vocab_size = VOCAB_SIZE + 3 * seed
    draft = ScriptedBackend(repeating(vocab_size, seed=seed), vocab_size=vocab_size, **sizes)
    wishes = random_wishes(NUM_REQUESTS, seed=3)
    make = lambda: toy_llm(repeating(), num_blocks=2000)  # noqa: E731
    drafter = DraftModel(draft, VOCAB_SIZE)
    _, after = check(make, drafter, wishes, size=4)
    assert after.draft_tokens
    assert drafter._pool.num_free == draft.info.num_blocks


def test_a_draft_model_that_is_right_saves_steps():
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE, num_blocks=400)
    speculation = {"draft_model": ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)}
    with LLM(backend, tokenizer=toy_tokenizer(), speculation=speculation) as llm:
        engine_of(llm)._speculator._drafter._cost = lambda seconds: 0.1
        output = llm.generate([1, 2, 3], max_new_tokens=60, ignore_eos=True)
        assert output.usage.accepted_tokens > 30
        assert llm.stats().steps < 30


def test_a_draft_model_of_another_vocabulary_is_refused():
    small = ScriptedBackend(repeating(100), vocab_size=100)
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)
    with pytest.raises(ConfigError, match="has 100 tokens: must have the 263 of the model"):
        LLM(backend, tokenizer=toy_tokenizer(), speculation={"draft_model": small})


@pytest.mark.model
def test_a_draft_model_has_each_token_of_the_model(default_model_path):
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)
    with pytest.raises(ConfigError, match="has another vocabulary: token 0 is b'"):
        LLM(
            backend,
            tokenizer=toy_tokenizer(),
            speculation={"draft_model": str(default_model_path)},
        )


def test_what_lies_behind_a_stop_in_the_text_vanishes():
    """From usage, log-probabilities, statistics: it is as if it had not been computed."""
    wishes = [
        wish
        for wish in random_wishes(20 * NUM_REQUESTS, seed=5)
        if {"stop", "stop_regex"} & {*wish[1]}
    ][:NUM_REQUESTS]
    with toy_llm(repeating()) as plain, drafting_with(toy_llm(repeating()), Eager()) as fast:
        assert finished(fast, wishes) == finished(plain, wishes)
        assert fast.stats().generated_tokens == plain.stats().generated_tokens
        assert fast.stats().accepted_tokens
        assert fast.stats().free_blocks == fast.stats().num_blocks


def test_usage_says_how_much_was_guessed_and_right():
    with drafting_with(toy_llm(repeating()), Eager()) as llm:
        output = llm.generate([1, 2, 3, 1, 2, 3], max_new_tokens=40, ignore_eos=True)
        usage, stats = output.usage, llm.stats()
        assert 0 < usage.accepted_tokens <= usage.draft_tokens
        assert (usage.accepted_tokens, usage.draft_tokens) == (
            stats.accepted_tokens,
            stats.draft_tokens,
        )
        assert usage.speculation_off is None
        assert stats.steps == 1 + 40 - 1 - usage.accepted_tokens
        assert stats.acceptance_rate == usage.accepted_tokens / usage.draft_tokens


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"num_beams": 2}, "num_beams=2 searches"),
        ({"speculate": False}, "speculate=False"),
        ({"logits_processor": lambda row: None}, "logits_processor has a function"),
        ({"stopping_criteria": lambda text, ids: False}, "stopping_criteria has a function"),
        ({"processors": ["temperature", lambda row: None]}, "processors has a function"),
        ({"prefix_allowed_tokens_fn": lambda ids: [1, 2]}, "prefix_allowed_tokens_fn has a"),
    ],
)
def test_it_is_said_where_nothing_is_guessed(settings, reason):
    with drafting_with(toy_llm(repeating()), Eager()) as llm:
        output = llm.generate([1, 2, 1, 2], max_new_tokens=12, **settings)
        assert output.usage.speculation_off.startswith(reason)
        assert not output.usage.draft_tokens
    with toy_llm(repeating()) as llm:
        output = llm.generate([1, 2, 1, 2], max_new_tokens=12, **settings)
        assert output.usage.speculation_off is None


def test_auto_is_on_where_it_may_pay_and_changes_no_bit():
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)
    for speculation, guesses in (("auto", False), ("lookup", True), (None, False)):
        with LLM(backend, tokenizer=toy_tokenizer(), speculation=speculation) as llm:
            assert engine_of(llm)._speculator.guesses is guesses


def test_a_corpus_is_looked_up():
    text = "the cat sat on the mat"
    from support.toy import reciting_llm

    with reciting_llm(text) as plain:
        backend, tokenizer = plain.backend, plain.tokenizer
        expected = plain.generate("the cat", max_new_tokens=30)
        speculation = {"corpus": ["something else", text]}
        with LLM(backend, tokenizer=tokenizer, speculation=speculation) as llm:
            output = llm.generate("the cat", max_new_tokens=30)
            assert output.text == expected.text
            assert output.usage.accepted_tokens


@pytest.mark.parametrize("value", ["fast", 3, {}, {"draft": 1}, {"corpus": 1, "draft_model": 2}])
def test_what_is_no_speculation_is_refused(value):
    with pytest.raises(ConfigError, match=r"speculation=.* must be 'auto', 'lookup', None"):
        LLM("x", speculation=value)


def test_what_a_form_leaves_no_choice_to_takes_no_steps_of_its_own():
    """Whether or not anything else is guessed."""
    given = {"regex": "(the cat ){6}sat", "max_new_tokens": 60}
    with token_by_token(toy_llm(repeating())) as plain, toy_llm(repeating()) as llm:
        expected, output = plain.generate("x", **given), llm.generate("x", **given)
        assert output.text == expected.text == 6 * "the cat " + "sat"
        assert output.token_ids == expected.token_ids
        assert llm.stats().steps < plain.stats().steps / 2
        assert output.usage.accepted_tokens == plain.stats().steps - llm.stats().steps


def test_a_request_may_be_without():
    """Nothing of it is computed ahead, be it guessed or forced, beside one of which it is."""
    wishes = [([1, 2, 3, 1, 2, 3], {"max_new_tokens": 40, "ignore_eos": True})] * 2
    off = [(wishes[0][0], {**wishes[0][1], "speculate": False}), wishes[1]]
    with token_by_token(toy_llm(repeating())) as plain:
        expected = read_together(plain, wishes)
    with drafting_with(toy_llm(repeating()), Eager()) as llm:
        assert read_together(llm, off) == expected
        assert llm.stats().accepted_tokens
    with toy_llm(repeating()) as llm:
        given = {"regex": "(the cat ){6}sat", "max_new_tokens": 60, "speculate": False}
        output = llm.generate("x", **given)
        assert llm.stats().steps == len(output.token_ids)
        assert llm.generate("x", **{**given, "speculate": True}).token_ids == output.token_ids


def test_functions_are_called_for_one_token_after_another_with_a_form_too():
    calls = []

    def note(row, history):
        calls.append(len(history.tokens))

    with toy_llm(repeating()) as llm:
        given = {"regex": "(the cat ){6}sat", "max_new_tokens": 60, "logits_processor": note}
        output = llm.generate("x", **given)
        assert output.usage.speculation_off == "logits_processor has a function"
        assert llm.stats().steps == len(output.token_ids) == len(calls)


def test_behind_the_end_of_a_text_nothing_counts_in_an_async_llm_either():
    wishes = [wish for wish in random_wishes(400, seed=8) if "stop" in wish[1]][:12]
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE, num_blocks=2000)

    async def ask(speculation):
        options = {"tokenizer": toy_tokenizer(), "speculation": speculation}
        async with AsyncLLM(backend, **options) as llm:
            told = []
            for prompt, given in wishes:
                outputs = await llm.generate([prompt], **given)
                told.append([(one.text, one.token_ids, one.stop_reason) for one in outputs])
            return told, (await llm.stats()).generated_tokens

    assert asyncio.run(ask("lookup")) == asyncio.run(ask(None))


@pytest.mark.torch
def test_on_transformers_it_is_off_unless_asked_for():
    """It verifies as many rows; there their bits depend on how many."""
    from support.llama_files import make_model

    from foretell.backends.transformers.backend import TransformersBackend

    backend = TransformersBackend(make_model(vocab_size=VOCAB_SIZE), num_blocks=64)
    assert not backend.info.is_exact
    outputs = []
    for speculation in ("auto", "lookup"):
        with LLM(backend, tokenizer=toy_tokenizer(), speculation=speculation) as llm:
            prompt = [3, 4, 5, 6, 7] * 3
            outputs.append(llm.generate(prompt, max_new_tokens=60, ignore_eos=True, logprobs=0))
    plain, fast = outputs
    assert not plain.usage.draft_tokens
    assert fast.usage.draft_tokens
    assert fast.token_ids == plain.token_ids
    ours, theirs = ([one.logprob for one in output.logprobs] for output in (fast, plain))
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_a_draft_model_with_a_state_is_refused():
    draft = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)
    draft._info = replace(draft.info, state_bytes=64)
    backend = ScriptedBackend(repeating(), vocab_size=VOCAB_SIZE)
    with pytest.raises(ConfigError, match="keeps a state, which cannot go back to before a guess"):
        LLM(backend, tokenizer=toy_tokenizer(), speculation={"draft_model": draft})
