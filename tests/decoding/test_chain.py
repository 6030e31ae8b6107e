"""The whole chain against transformers' own list of processors, and the three dialects."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.toy import toy_llm
from transformers import GenerationConfig as TheirConfig
from transformers import GPT2Config, GPT2LMHeadModel

from foretell.config import GenerationConfig
from foretell.config.dialects import DIALECTS
from foretell.config.settings import STAGES
from foretell.decoding.chain import BUILDERS, build_chain
from foretell.decoding.context import ChainContext
from foretell.engine.sequence import Sequence
from foretell.errors import ConfigError

VOCAB = 40
EOS = 39
CONTEXT = ChainContext(VOCAB, frozenset({EOS}), max_length=12)


def past(tokens, num_prompt_tokens):
    sequence = Sequence(0, tokens[:num_prompt_tokens])
    sequence.tokens += tokens[num_prompt_tokens:]
    return sequence


def ours(row, history, **settings):
    result = row.copy()
    config = GenerationConfig(seed=0, **settings)
    for stage in build_chain(config, CONTEXT):
        stage.processor(result, history)
    return result


@pytest.fixture(scope="module")
def model():
    """A tiny model: only its `_get_logits_processor` is used, which makes transformers' chain."""
    config = GPT2Config(vocab_size=VOCAB, n_embd=8, n_layer=1, n_head=1, n_positions=32)
    return GPT2LMHeadModel(config)


def theirs(model, row, history, **settings):
    config = TheirConfig(
        do_sample=True, max_length=12, eos_token_id=EOS, **{"top_k": 0, **settings}
    )
    config._eos_token_tensor = torch.tensor([EOS])
    processors = model._get_logits_processor(
        generation_config=config,
        input_ids_seq_length=history.num_prompt_tokens,
        device="cpu",
        logits_processor=[],
    )
    ids = torch.tensor([history.tokens])
    return processors(ids, torch.from_numpy(row.copy()).double()[None])[0].float().numpy()


SETTINGS = {
    "temperature": st.sampled_from([0.5, 0.8, 1.7]),
    "top_k": st.integers(1, 45),
    "top_p": st.floats(0.1, 0.99),
    "min_p": st.floats(0.01, 0.9),
    "typical_p": st.floats(0.1, 0.99),
    "epsilon_cutoff": st.floats(1e-4, 0.2),
    "eta_cutoff": st.floats(1e-4, 0.2),
    "repetition_penalty": st.floats(0.5, 3),
    "no_repeat_ngram_size": st.integers(1, 3),
    "bad_words_ids": st.lists(st.lists(st.integers(0, 37), min_size=1, max_size=2), min_size=1),
    "min_length": st.integers(1, 12),
    "min_new_tokens": st.integers(1, 8),
    "suppress_tokens": st.lists(st.integers(0, 37), min_size=1, max_size=5),
    "begin_suppress_tokens": st.lists(st.integers(0, 37), min_size=1, max_size=5),
    "exponential_decay_length_penalty": st.tuples(st.integers(0, 5), st.floats(0.9, 1.5)),
    "sequence_bias": st.dictionaries(
        st.tuples(st.integers(0, 37)) | st.tuples(st.integers(0, 37), st.integers(0, 37)),
        st.floats(-3, 3),
        min_size=1,
    ),
    "renormalize_logits": st.just(True),
}
CHOSEN = st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=5, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: SETTINGS[name] for name in names})
)


@settings(max_examples=150)
@given(
    hnp.arrays(np.float32, VOCAB, elements=st.floats(-8, 8, width=32), unique=True),
    st.lists(st.integers(0, 37), min_size=1, max_size=10),
    st.data(),
    CHOSEN,
)
def test_any_settings_do_what_transformers_does(model, row, tokens, data, chosen):
    history = past(tokens, data.draw(st.integers(1, len(tokens))))
    chosen = {**chosen, "do_sample": True}
    expected = theirs(model, row, history, **{k: v for k, v in chosen.items() if k != "do_sample"})
    result = ours(row, history, **chosen)
    assume(np.isfinite(expected).any())
    np.testing.assert_array_equal(np.isneginf(result), np.isneginf(expected))
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=2e-6)


def names(**settings):
    config = GenerationConfig(seed=0, **settings)
    return [stage.name for stage in build_chain(config, CONTEXT)]


EVERYTHING = {
    "temperature": 0.7,
    "top_k": 5,
    "top_p": 0.9,
    "min_p": 0.1,
    "repetition_penalty": 1.2,
    "logit_bias": {3: 1.0},
}


def test_each_dialect_has_its_order():
    assert names(**EVERYTHING) == [
        *("logit_bias", "repetition_penalty", "temperature", "top_k", "top_p", "min_p")
    ]
    assert names(**EVERYTHING, dialect="vllm") == [
        *("logit_bias", "repetition_penalty", "temperature", "min_p", "top_k", "top_p")
    ]
    assert names(**EVERYTHING, dialect="llama.cpp") == [
        *("logit_bias", "repetition_penalty", "top_k", "top_p", "min_p", "temperature")
    ]


def test_the_settings_that_are_stages_are_those_that_the_chain_can_make():
    assert {*BUILDERS, "logits_processor"} == STAGES  # the user's functions are stages themselves


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_places_every_stage_once(dialect):
    assert sorted(dialect.order) == sorted(STAGES)


ROW = np.array([3, 2, 1, 0, -1], np.float32)


@pytest.mark.parametrize(
    ("dialect", "setting", "kept_at_half", "kept_at_two"),
    [
        ("transformers", {"top_p": 0.8}, [0], [0, 1, 2]),
        ("vllm", {"top_p": 0.8}, [0], [0, 1, 2]),
        ("llama.cpp", {"top_p": 0.8, "min_p": 0, "top_k": 0}, [0, 1], [0, 1]),
        ("transformers", {"min_p": 0.1}, [0, 1], [0, 1, 2, 3, 4]),
        ("vllm", {"min_p": 0.1}, [0, 1], [0, 1, 2, 3, 4]),
        ("llama.cpp", {"min_p": 0.1, "top_p": 1, "top_k": 0}, [0, 1, 2], [0, 1, 2]),
    ],
)
def test_temperature_before_or_after_truncation(dialect, setting, kept_at_half, kept_at_two):
    """The worked values: x = [3, 2, 1, 0, -1]; temperature last is blind to it when cutting."""
    for temperature, kept in ((0.5, kept_at_half), (2.0, kept_at_two)):
        config = GenerationConfig(temperature=temperature, dialect=dialect, seed=0, **setting)
        row = ROW.copy()
        for stage in build_chain(config, ChainContext(5)):
            stage.processor(row, past([0], 1))
        assert np.flatnonzero(np.isfinite(row)).tolist() == kept


def test_ties_stay_in_transformers_and_are_cut_in_llama_cpp():
    row = np.zeros(6, np.float32)
    for dialect, kept in (("transformers", 6), ("llama.cpp", 2)):
        config = GenerationConfig(top_k=2, top_p=1.0, min_p=0.0, seed=0, dialect=dialect)
        result = row.copy()
        for stage in build_chain(config, ChainContext(6)):
            stage.processor(result, past([0], 1))
        assert np.isfinite(result).sum() == kept


def test_scopes_are_the_dialects_unless_told():
    history = past([0, 1] + [2] * 70, 2)
    row = np.ones(VOCAB, np.float32)
    seen = ours(row, history, frequency_penalty=0.1, do_sample=True, top_k=0)
    assert seen[0] == 1
    assert seen[2] == pytest.approx(1 - 7)
    lcpp = GenerationConfig(frequency_penalty=0.1, dialect="llama.cpp", seed=0)
    result = row.copy()
    build_chain(lcpp, CONTEXT)[0].processor(result, history)
    assert result[2] == pytest.approx(1 - 6.4)
    found = ours(row, history, frequency_penalty=0.1, penalty_scope="prompt", do_sample=True)
    assert found[0] == pytest.approx(0.9)
    assert found[2] == 1


def test_vllm_raises_a_tiny_temperature():
    row = ROW.copy()
    stage = build_chain(
        GenerationConfig(temperature=0.001, seed=0, dialect="vllm"), ChainContext(5)
    )[0]
    stage.processor(row, past([0], 1))
    np.testing.assert_allclose(row, ROW / 0.01, rtol=1e-6)


def test_a_users_functions_come_before_the_samplers():
    def double(row):
        row *= 2

    def ban_zero(row, history):
        changed = row.copy()
        changed[history.tokens[0]] = -np.inf
        return changed

    settings = {"logits_processor": [double, ban_zero], "temperature": 0.5}
    assert names(**settings) == ["double", "ban_zero", "temperature"]
    result = ours(np.ones(VOCAB, np.float32), past([5], 1), **settings)
    assert result[5] == -np.inf
    assert result[0] == 4


def test_processors_sets_chain_and_order():
    def halve(row):
        row /= 2

    settings = {"processors": ["top_k", halve, "temperature"], "top_k": 3, "temperature": 2.0}
    assert names(**settings) == ["top_k", "halve", "temperature"]
    with pytest.raises(ConfigError, match="top_p is set, but processors has no 'top_p'"):
        GenerationConfig(**settings, top_p=0.5)
    with pytest.raises(ConfigError, match="processors has 'topk': did you mean 'top_k'"):
        GenerationConfig(processors=["topk"])


def test_a_function_must_give_back_a_row():
    with pytest.raises(ConfigError, match="logits_processor '<lambda>' returned 3: must ret"):
        ours(ROW.copy(), past([0], 1), logits_processor=lambda row: 3, do_sample=True)


def test_greedy_has_no_stage_that_shapes_a_draw():
    settings = {"repetition_penalty": 1.2, "temperature": 0, "top_p": 0.5}
    assert names(**settings) == ["repetition_penalty"]


def test_greedy_keeps_a_users_functions():
    def halve(row):
        row /= 2

    assert names(logits_processor=[halve], temperature=0) == ["halve"]
    settings = {"temperature": 0, "top_k": 3, "processors": ["top_k", halve, "temperature"]}
    assert names(**settings) == ["halve"]


def test_a_range_of_temperatures_brings_a_temperature():
    assert names(dynatemp_range=0.5) == ["temperature"]


def test_texts_need_a_tokenizer():
    with pytest.raises(ConfigError, match="bad_words has texts"):
        names(bad_words=["x"])


@pytest.mark.parametrize(
    "settings",
    [
        {"bad_words": []},
        {"bad_words_ids": []},
        {"suppress_tokens": []},
        {"begin_suppress_tokens": ()},
        {"sequence_bias": {}},
        {"logit_bias": {}},
        {"logits_processor": []},
    ],
)
def test_an_empty_list_forbids_and_favours_nothing(settings):
    llm = toy_llm()
    expected = llm.generate("a", max_new_tokens=4).token_ids
    assert llm.generate("a", max_new_tokens=4, **settings).token_ids == expected
