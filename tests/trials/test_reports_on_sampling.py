"""What users of other engines reported about sampling, tried here: see docs/trials.md."""

from __future__ import annotations

import numpy as np
import pytest
from support.toy import EOS, VOCAB_SIZE, toy_llm
from support.trials import id_of, row_of, softmax, steady_llm

from foretell import ConfigError, NumericalError
from foretell.backends.scripted import improvise
from foretell.decoding.philox import uniform
from foretell.decoding.sampler import draw

pytestmark = pytest.mark.filterwarnings("ignore::foretell.SettingWarning")

ABC = {"a": 3.0, "b": 2.0, "c": 1.0}


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.0},
        {"temperature": 1e-4},
        {"temperature": 1e-6},
        {"temperature": 1e-44},
        {"temperature": 1.0, "top_p": 1e-4},
        {"temperature": 1e-5, "num_beams": 3, "do_sample": True, "seed": 1},
        {"temperature": 0.01, "top_k": 1, "top_p": 0.8},
    ],
)
def test_as_good_as_no_temperature_is_greedy_and_never_nan(settings):
    with toy_llm() as llm:
        greedy = llm.generate("a", max_new_tokens=8)
        assert llm.generate("a", max_new_tokens=8, **settings).token_ids == greedy.token_ids


@pytest.mark.parametrize("settings", [{}, {"top_k": 0}, {"top_p": 1.0}, {"top_k": VOCAB_SIZE}])
def test_a_temperature_alone_leaves_every_token_a_chance(settings):
    with toy_llm() as llm:
        assert llm.next("a", temperature=0.5, **settings).candidates == VOCAB_SIZE
        texts = {
            tuple(llm.generate("a", temperature=1.0, max_new_tokens=8, **settings).token_ids)
            for _ in range(6)
        }
        assert len(texts) == 6


@pytest.mark.parametrize("top_k", [VOCAB_SIZE, VOCAB_SIZE + 1, 10**6])
def test_top_k_of_the_vocabulary_and_beyond_changes_nothing(top_k):
    settings = {"temperature": 1.0, "seed": 2, "max_new_tokens": 6}
    with toy_llm() as llm:
        free = llm.generate("a", **settings)
        assert llm.generate("a", top_k=top_k, **settings).token_ids == free.token_ids


def test_without_a_seed_each_run_differs_and_tells_the_seed_that_repeats_it():
    settings = {"temperature": 1.0, "max_new_tokens": 8}
    with toy_llm() as llm:
        runs = [llm.generate("a", **settings) for _ in range(5)]
        assert len({tuple(run.token_ids) for run in runs}) == 5
        for run in runs:
            again = llm.generate("a", **settings, seed=run.config.seed)
            assert again.token_ids == run.token_ids


@pytest.mark.parametrize("seed", [0, 42, 1715852364, 2**32, 2**63, 2**64 - 1])
def test_seeds_of_any_size_repeat(seed):
    settings = {"temperature": 1.0, "seed": seed, "max_new_tokens": 8}
    with toy_llm() as one, toy_llm() as other:
        assert one.generate("a", **settings).token_ids == other.generate("a", **settings).token_ids


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5])
def test_a_seed_that_cannot_be_one_is_refused(seed):
    with toy_llm() as llm, pytest.raises(ConfigError, match="seed"):
        llm.generate("a", temperature=1.0, seed=seed)


def test_a_seed_neither_sets_the_temperature_nor_moves_a_greedy_text():
    with toy_llm() as llm:
        greedy, one, two = (
            llm.generate("a", max_new_tokens=8, **settings).token_ids
            for settings in (
                {},
                {"temperature": 1.0, "seed": 1},
                {"temperature": 1.0, "seed": 2},
            )
        )
        assert len({tuple(greedy), tuple(one), tuple(two)}) == 3
        for seed in (1, 2):
            cold = llm.generate("a", max_new_tokens=8, temperature=0.0, seed=seed)
            assert cold.token_ids == greedy


@pytest.mark.parametrize("num_beams", [1, 3])
def test_no_ngram_comes_twice_the_prompt_counted(num_beams):
    with steady_llm(ABC) as llm:
        out = llm.generate(
            "aab", no_repeat_ngram_size=3, num_beams=num_beams, max_new_tokens=60, ignore_eos=True
        )
    ids = [*out.prompt_token_ids, *out.token_ids]
    triples = list(zip(ids, ids[1:], ids[2:], strict=False))
    assert len(set(triples)) == len(triples) == 61


def test_an_ngram_size_of_zero_is_off():
    with steady_llm(ABC) as llm:
        assert llm.generate("x", no_repeat_ngram_size=0, max_new_tokens=5).text == "aaaaa"


def test_a_setting_that_does_not_exist_is_refused_by_name():
    with toy_llm() as llm, pytest.raises(ConfigError, match="ngram_window"):
        llm.generate("x", no_repeat_ngram_size=3, ngram_window=128)


def test_penalties_after_a_cut_leave_a_token():
    order = ["top_k", "dry_multiplier", "min_p", "temperature", "top_p"]
    settings = {"top_k": 40, "min_p": 0.02, "temperature": 0.7, "top_p": 0.97}
    dry = {"dry_multiplier": 0.7, "dry_allowed_length": 4, "dry_penalty_last_n": 2048}
    with toy_llm(lambda history: row_of(ABC)) as llm:
        for seed in range(5):
            out = llm.generate(
                "abc abc abc abc abc a",
                dialect="llama.cpp",
                processors=order,
                **settings,
                **dry,
                seed=seed,
                max_new_tokens=40,
            )
            assert len(out.token_ids) == 40


def test_dry_takes_more_the_longer_the_repeat():
    logits = {"d": 5.0, "z": 4.0}
    with steady_llm(logits) as llm:
        for prompt, length in (("cd.c", 1), ("bcd.bc", 2), ("abcd.abc", 3)):
            found = llm.next(
                prompt, top=2, temperature=1.0, dry_multiplier=0.8, dry_allowed_length=2
            )
            penalty = 0.8 * 1.75 ** (length - 2) if length >= 2 else 0.0
            row = row_of(logits)
            row[id_of("d")] -= np.float32(penalty)
            expected = softmax(row)
            for token in found.tokens:
                assert token.final_probability == pytest.approx(expected[token.token_id], rel=1e-5)


@pytest.mark.parametrize("logit", [2.0, -2.0])
def test_the_repetition_penalty_always_makes_a_seen_token_rarer(logit):
    row = row_of({"a": logit, "b": logit})
    with steady_llm({"a": logit, "b": logit}) as llm:
        found = {
            token.token: token
            for token in llm.next("a", top=2, temperature=1.0, repetition_penalty=1.5).tokens
        }
    row[id_of("a")] = logit / 1.5 if logit > 0 else logit * 1.5
    expected = softmax(row)
    assert found["a"].final_probability < found["b"].final_probability
    assert found["a"].final_probability == pytest.approx(expected[id_of("a")], rel=1e-5)


def test_typical_sampling_of_nearly_everything_is_nearly_nothing():
    cold = {"dialect": "llama.cpp", "top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1e-4}
    with toy_llm() as llm:
        greedy = llm.generate("a", max_new_tokens=30, ignore_eos=True).token_ids
        for typical_p in (1.0, 0.9999):
            settings = {**cold, "typical_p": typical_p, "seed": 3, "ignore_eos": True}
            assert llm.generate("a", max_new_tokens=30, **settings).token_ids == greedy


def test_min_p_before_or_after_the_temperature_is_the_dialects_choice():
    logits = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0, "e": -1.0}
    hot = {"temperature": 1.5, "min_p": 0.1}
    last = {"dialect": "llama.cpp", "top_k": 0, "top_p": 1.0}
    with steady_llm(logits) as llm:
        for others, temperature in ((last, 1.0), ({}, 1.5)):
            odds = softmax(row_of(logits) / temperature)
            expected = int((odds >= 0.1 * odds.max()).sum())
            assert llm.next("x", **hot, **others).candidates == expected


def test_top_p_never_draws_from_outside_of_the_nucleus():
    script = improvise(VOCAB_SIZE, seed=5)
    odds = softmax(script((1, 2)))
    order = np.argsort(-odds)
    nucleus = set(order[: int(np.searchsorted(np.cumsum(odds[order]), 0.8)) + 1].tolist())
    drawn: set[int] = set()
    with toy_llm(script) as llm:
        for seed in range(40):
            settings = {"temperature": 1.0, "top_p": 0.8, "seed": seed, "max_new_tokens": 1}
            for out in llm.generate([1, 2], num_return_sequences=50, **settings):
                drawn.update(out.token_ids)
    assert len(drawn) > 3
    assert drawn <= nucleus


def test_xtc_spares_the_tokens_that_are_exempt():
    logits = {"\n": 3.0, "a": 2.9, "b": 2.8, "c": 2.7}
    row = row_of(logits)
    row[EOS] = 2.85
    settings = {"temperature": 1.0, "xtc_probability": 1.0, "xtc_threshold": 0.1}
    with toy_llm(lambda history: row.copy()) as llm:
        found = llm.next("x", top=5, **settings, xtc_exempt_tokens=[id_of("\n"), EOS])
        left = {token.token_id for token in found.tokens if token.final_probability}
        assert left == {id_of("\n"), EOS, id_of("c")}
        assert llm.generate("x", **settings, seed=1, max_new_tokens=1).text in ("c", "")


def test_a_ban_never_leads_out_of_the_allowed_tokens():
    allowed = [id_of("a"), id_of("c")]
    with steady_llm(ABC) as llm:
        settings = {"bad_words": ["a"], "max_new_tokens": 4}
        assert llm.generate("x", allowed_token_ids=allowed, **settings).text == "cccc"
        with pytest.raises(NumericalError, match="no token possible"):
            llm.generate("x", allowed_token_ids=allowed[:1], **settings)


def test_a_bad_word_is_banned_with_a_space_before_it_too():
    with steady_llm({" cat": 5.0, "z": 1.0}) as llm:
        assert llm.generate("x", bad_words=["cat"], max_new_tokens=3).text == "zzz"


def test_the_allowed_prefix_holds_where_the_model_gives_it_no_chance():
    row = np.full(VOCAB_SIZE, -np.inf, np.float32)
    row[id_of("a")] = 1.0
    with toy_llm(lambda history: row.copy()) as llm:
        allow_b = {"prefix_allowed_tokens_fn": lambda ids: [id_of("b")], "max_new_tokens": 2}
        assert llm.generate("x", **allow_b).text == "bb"
        assert llm.generate("x", temperature=1.0, **allow_b).text == "bb"
        with pytest.raises(ConfigError, match="prefix_allowed_tokens_fn"):
            llm.generate("x", prefix_allowed_tokens_fn=lambda ids: [])


def test_mirostat_remembers_from_token_to_token():
    """Version 2 by hand, in float64: what each draw surprised moves the next cut."""
    script, tau, eta, seed = improvise(VOCAB_SIZE, seed=9), 3.0, 0.9, 4
    with toy_llm(script) as llm:
        out = llm.generate(
            [1, 2],
            mirostat=2,
            mirostat_tau=tau,
            mirostat_eta=eta,
            seed=seed,
            max_new_tokens=12,
            ignore_eos=True,
        )
    ids, mu, seen = [1, 2], 2 * tau, set()
    for _ in range(12):
        row = script(tuple(ids))
        surprise = -np.log2(softmax(row))
        kept = surprise <= max(mu, surprise.min())
        cut = np.where(kept, row, -np.inf).astype(np.float32)
        ids.append(draw(cut, uniform(seed, 0, len(ids))))
        mu -= eta * (-np.log2(softmax(cut)[ids[-1]]) - tau)
        seen.add(int(kept.sum()))
    assert len(seen) > 3  # so the cut did move
    assert out.token_ids == ids[2:]
