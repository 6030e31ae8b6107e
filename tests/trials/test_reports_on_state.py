"""What users of other engines reported about what is left of earlier work: see docs/trials.md."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
import weakref

import pytest
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer

from foretell.backends.base import Batch
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.llm import LLM
from foretell.utils.arrays import Logits

SECRET = "The secret password is 71923." + "." * 40 + "What is the password?"


def test_the_first_answer_is_like_the_next_whatever_ran_before():
    prompts = ["the cat sat on the", "the cat sat on the", "the cat sat by", "z", "the cat sat by"]
    settings = {"max_new_tokens": 8}, {"max_new_tokens": 8, "temperature": 1.0, "seed": 5}
    for wishes in settings:
        with toy_llm() as llm:
            found = [llm.generate(prompt, **wishes).token_ids for prompt in prompts]
            assert llm.stats().cached_tokens > 0  # so the prefix cache was in use
        for prompt, ids in zip(prompts, found, strict=True):
            with toy_llm() as fresh:
                assert fresh.generate(prompt, **wishes).token_ids == ids


class InterruptedBackend(ScriptedBackend):
    """Is interrupted after so many batches, once."""

    batches_left: int | None = None

    def forward(self, batch: Batch) -> Logits:
        rows = super().forward(batch)
        if self.batches_left is not None:
            self.batches_left -= 1
            if self.batches_left == 0:
                self.batches_left = None
                raise KeyboardInterrupt
        return rows


@pytest.mark.parametrize("batches", range(1, 14))
def test_a_prompt_broken_off_half_read_leaves_nothing_wrong_behind(batches):
    with toy_llm() as fresh:
        expected = fresh.generate(SECRET, max_new_tokens=5).token_ids
    backend = InterruptedBackend(
        improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE, max_batch_tokens=8, num_blocks=64
    )
    with LLM(backend, tokenizer=toy_tokenizer()) as llm:
        backend.batches_left = batches
        with pytest.raises(KeyboardInterrupt):
            llm.generate(SECRET, max_new_tokens=5)
        assert llm.stats().free_blocks == 64
        assert llm.generate(SECRET, max_new_tokens=5).token_ids == expected


@pytest.mark.parametrize("most", [1, 3, 8, 64])
def test_in_how_many_pieces_a_prompt_is_read_changes_nothing(most):
    with toy_llm() as whole, toy_llm(max_batch_tokens=most) as pieces:
        settings = {"max_new_tokens": 6, "temperature": 1.0, "seed": 2}
        expected = whole.generate(SECRET, **settings).token_ids
        assert pieces.generate(SECRET, **settings).token_ids == expected


def test_a_short_prompt_beside_long_ones_is_answered_as_if_alone():
    prompts = ["a", SECRET, "the cat", "zz" * 9]
    settings = {"max_new_tokens": 6, "temperature": 0.8, "seed": 2}
    with toy_llm(num_blocks=256) as llm:
        together = [out.token_ids for out in llm.generate(prompts, **settings)]
        assert together == [llm.generate(prompt, **settings).token_ids for prompt in prompts]


def test_samples_of_one_seed_differ_and_are_the_same_whatever_their_number():
    settings = {"temperature": 1.0, "seed": 4, "max_new_tokens": 8}
    with toy_llm() as llm:
        five = [out.token_ids for out in llm.generate("a", num_return_sequences=5, **settings)]
        two = [out.token_ids for out in llm.generate("a", num_return_sequences=2, **settings)]
        assert len({tuple(ids) for ids in five}) == 5
        assert two == five[:2]
        assert llm.generate("a", **settings).token_ids == five[0]


def test_the_texts_of_a_beam_search_differ():
    with toy_llm() as llm:
        outs = llm.generate("a", num_beams=3, num_return_sequences=3, max_new_tokens=8)
        assert len({tuple(out.token_ids) for out in outs}) == 3


@pytest.mark.parametrize("how", ["close", "break", "drop"])
def test_a_stream_that_is_left_gives_its_memory_back_and_spoils_nothing(how):
    settings = {"max_new_tokens": 8, "ignore_eos": True}
    with toy_llm() as fresh:
        expected = fresh.generate("a", **settings).token_ids
    with toy_llm() as llm:
        stream = llm.stream(SECRET, ignore_eos=True)
        if how == "break":
            for _ in stream:
                break
        next(stream)
        assert llm.stats().running == 1
        if how == "close":
            stream.close()
        del stream
        gc.collect()
        stats = llm.stats()
        assert (stats.running, stats.free_blocks) == (0, stats.num_blocks)
        assert llm.generate("a", **settings).token_ids == expected


def test_a_closed_llm_is_freed_without_the_garbage_collector():
    llm = toy_llm()
    llm.generate("a", max_new_tokens=3)
    gone = weakref.ref(llm.backend)
    gc.disable()
    try:
        llm.close()
        assert gone() is None
    finally:
        gc.enable()


def test_a_program_that_ends_without_closing_ends_in_silence():
    program = (
        "from support.toy import toy_llm\n"
        "llm = toy_llm()\n"
        "stream = llm.stream('a', ignore_eos=True)\n"
        "next(stream)\n"
        "print('done')\n"
    )
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", path + program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_requests_that_are_done_leave_no_memory_taken():
    with toy_llm() as llm:

        def ask(numbers: range) -> int:
            for number in numbers:
                settings = {"temperature": 1.0, "stop": [f"z{number}"], "logit_bias": {"a": 1.0}}
                llm.generate(f"{number}", max_new_tokens=3, bad_words=[f"w{number}"], **settings)
            llm.backend.batches.clear()  # which the toy keeps for tests to look at
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            ask(range(300))  # until each block of the pool has been in use
            after = [ask(range(start, start + 60)) for start in (300, 360)]
        finally:
            tracemalloc.stop()
    assert after[1] - after[0] < 100 * 60  # bytes; a request that stayed would take thousands
