"""Divergence on toy models: what is the same, what cannot be compared, how much is held."""

import math

import numpy as np
import pytest
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer

from foretell import ConfigError, NumericalError, RequestError
from foretell.analysis.continuations import ScoredSpan
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.evaluation import kl_divergence
from foretell.evaluation.divergence import DivergenceTally
from foretell.evaluation.rows import logits_in_step, logits_of
from foretell.llm import LLM

TEXT = "the cat sat on the mat. " * 8


def other_llm(seed=1, **options):
    script = improvise(VOCAB_SIZE, seed=seed)
    backend = ScriptedBackend(script, vocab_size=VOCAB_SIZE, context_length=256)
    return LLM(backend, tokenizer=toy_tokenizer(), **options)


def test_a_model_is_itself():
    with toy_llm(context_length=256) as one, toy_llm(context_length=256) as other:
        found = kl_divergence(one, other, TEXT, window=32)
    assert found.num_windows == len(toy_tokenizer().encode(TEXT)) // 32
    assert found.num_tokens == 15 * found.num_windows
    assert (found.max_kld, found.min_kld) == (0.0, 0.0)
    assert found.mean_kld.value == found.rms_delta_p.value == 0.0
    assert (found.same_top.value, found.ratio.value, found.difference.value) == (1.0, 1.0, 0.0)
    assert found.correlation == pytest.approx(1.0)


def test_portions_of_steps_change_nothing():
    with toy_llm(context_length=256) as one, other_llm() as other:
        expected = kl_divergence(one, other, TEXT, window=64, max_windows=2)
        with other_llm(max_batch_tokens=7) as slow:
            assert kl_divergence(one, slow, TEXT, window=64, max_windows=2) == expected
    assert expected.mean_kld.value > 1
    assert expected.num_windows == 2


def test_no_more_than_a_step_is_held():
    span = ScoredSpan([*range(200)], 190)
    with toy_llm(context_length=256) as one, other_llm(max_batch_tokens=16) as other:
        sizes = [len(ours) for ours, _ in logits_in_step(one, other, span)]
        assert sum(sizes) == 190
        assert max(sizes) <= 16
        assert max(len(rows) for rows in logits_of(one, span)) <= 64


def test_rows_that_are_left_end_their_request():
    with toy_llm(context_length=256) as one:
        rows = logits_of(one, ScoredSpan([*range(200)], 190))
        next(rows)
        rows.close()
        assert one.stats().running == 0
        assert one.stats().free_blocks == one.stats().num_blocks


def test_tokens_that_are_ruled_out_add_nothing():
    tally = DivergenceTally()
    ours = np.array([[0.0, 1.0, -np.inf]], dtype=np.float32)
    theirs = np.array([[1.0, 0.0, -np.inf]], dtype=np.float32)
    tally.add(ours, theirs, [0])
    p = math.exp(1) / (1 + math.exp(1))
    assert tally.mean_kld == pytest.approx(p * 1 + (1 - p) * -1)
    found = tally.result(8, 1)
    assert found.mean_kld.error is None
    assert found.correlation is None
    assert found.same_top.value == 0.0


def test_what_the_model_rules_out_is_infinitely_far():
    tally = DivergenceTally()
    tally.add(np.array([[0, -np.inf]], np.float32), np.array([[0, 0]], np.float32), [0])
    assert tally.mean_kld == math.inf


def test_broken_logits_are_told():
    with pytest.raises(NumericalError):
        DivergenceTally().add(np.array([[np.nan, 1]]), np.array([[0.0, 1]]), [0])


def test_other_vocabularies_are_refused():
    backend = ScriptedBackend(improvise(VOCAB_SIZE + 1), vocab_size=VOCAB_SIZE + 1)
    others = {
        "has 263 tokens, the reference's 264": LLM(backend, tokenizer=toy_tokenizer()),
        "cut the text into different tokens": toy_llm(adds_bos=True),
    }
    for message, other in others.items():
        with toy_llm() as one, other, pytest.raises(RequestError, match=message):
            kl_divergence(one, other, TEXT, window=32)


@pytest.mark.parametrize(
    ("options", "message"), [({"max_windows": 0}, "max_windows=0"), ({"window": 1}, "window=1")]
)
def test_numbers_that_make_no_sense_are_refused(options, message):
    with toy_llm() as one, pytest.raises(ConfigError, match=message):
        kl_divergence(one, one, TEXT, **options)
