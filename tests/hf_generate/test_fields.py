"""The tables: no field of transformers' GenerationConfig and no argument is forgotten."""

from __future__ import annotations

import inspect
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.hf_models import tiny_gpt2
from support.toy import toy_llm
from transformers import GenerationConfig, GPT2LMHeadModel, LlamaForCausalLM

import foretell
from foretell import ConfigError, RequestError, SettingWarning, generate
from foretell.hf_generate import fields
from foretell.hf_generate.settings import Settings

IDS = torch.tensor([[3, 4, 5]])


def public(config: Any) -> set[str]:
    return {name for name in vars(config) if not name.startswith("_")}


def test_every_field_is_in_one_table():
    tables = [*fields.HONOURED, *fields.ACCEPTED, *fields.REFUSED]
    assert len(tables) == len(set(tables))
    # of assisted decoding, but no attribute unless it is set
    assert public(GenerationConfig()) | {"transformers_version"} == set(tables)


@pytest.mark.parametrize("kind", [GPT2LMHeadModel, LlamaForCausalLM])
def test_every_argument_is_in_one_table(kind: Any):
    tables = [*fields.ARGUMENTS, *fields.ACCEPTED_ARGUMENTS, *fields.REFUSED_ARGUMENTS]
    assert len(tables) == len(set(tables))
    taken = {*inspect.signature(kind.generate).parameters}
    taken |= {*inspect.signature(kind.forward).parameters}
    known = {*tables, *fields.FIELDS, "self", "inputs", "generation_config", "kwargs"}
    assert taken - known == {"encoder_hidden_states", "encoder_attention_mask"} & taken


def test_every_processor_that_transformers_adds_is_known():
    source = inspect.getsource(GPT2LMHeadModel._get_logits_processor)
    added = {*re.findall(r"append\(\s*(\w+)\(", source)}
    assert {name for name in added if "Encoder" not in name} == {*fields.PROCESSOR_FIELDS}
    source = inspect.getsource(GPT2LMHeadModel._get_stopping_criteria)
    added = {*re.findall(r"append\(\s*(\w+)\(", source)}
    others = {"MaxLengthCriteria", "ConfidenceCriteria"}  # taken for max_length; of an assistant
    assert added == {*fields.CRITERIA_FIELDS, *others}


SOMETHING: dict[str, Any] = {
    "encoder_repetition_penalty": 1.2,
    "encoder_no_repeat_ngram_size": 2,
    "prompt_lookup_num_tokens": 3,
    "cache_implementation": "quantized",
}


@pytest.mark.parametrize("name", [*fields.REFUSED, *fields.REFUSED_ARGUMENTS])
def test_what_cannot_be_honoured_is_an_error_that_names_it(gpt2: Any, name: str):
    harmless, reason = {**fields.REFUSED, **fields.REFUSED_ARGUMENTS}[name]
    value = SOMETHING.get(name, True)
    with pytest.raises(ConfigError, match=rf"^{name}=.*cannot be honoured: .*") as caught:
        generate(gpt2, IDS, max_new_tokens=2, **{name: value})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    plain = generate(gpt2, IDS, max_new_tokens=2)
    for value in (*harmless, None):
        assert torch.equal(generate(gpt2, IDS, max_new_tokens=2, **{name: value}), plain)


@pytest.mark.parametrize("name", [*fields.ACCEPTED, *fields.ACCEPTED_ARGUMENTS])
def test_what_changes_nothing_is_accepted(gpt2: Any, name: str):
    plain = generate(gpt2, IDS, max_new_tokens=2)
    assert torch.equal(generate(gpt2, IDS, max_new_tokens=2, **{name: 1}), plain)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_new_token", "did you mean 'max_new_tokens'"),
        ("max_tokens", "LLM.generate"),
        ("frequency_penalty", "LLM.generate"),
        ("dry_multiplier", "LLM.generate"),
        ("zzz", "has no such argument"),
    ],
)
def test_an_unknown_argument_is_an_error(gpt2: Any, name: str, hint: str):
    with pytest.raises(ConfigError, match=f"unknown argument '{name}': .*{hint}"):
        generate(gpt2, IDS, **{name: 3})


def test_defaults_are_those_of_transformers():
    theirs = GenerationConfig._get_default_generation_params()
    ours = Settings(None, {}, {})
    limits = ours.limits(5, 1000) if ours["max_length"] else None
    assert limits is None
    differing = {name for name, value in theirs.items() if name in fields.HONOURED and value}
    neutral = {"temperature", "top_p", "typical_p", "repetition_penalty", "length_penalty"}
    neutral |= {"num_beams", "num_return_sequences", "num_beam_groups"}
    assert all(theirs[name] == 1 for name in neutral)
    assert differing - neutral == {"max_length", "top_k"}
    assert (theirs["top_k"], ours["top_k"]) == (50, 50)


def test_twenty_tokens_by_default_with_a_warning(gpt2: Any):
    with pytest.warns(UserWarning, match="max_length"):
        expected = gpt2.generate(IDS, eos_token_id=None)
    with pytest.warns(SettingWarning, match="20 tokens") as warned:
        found = generate(gpt2, IDS, eos_token_id=None)
    assert warned[0].filename == __file__
    assert torch.equal(found, expected)
    long = torch.tensor([[3] * 60])  # the context has 64
    with pytest.warns(UserWarning, match="max_length"):
        expected = gpt2.generate(long, eos_token_id=None)
    with pytest.warns(SettingWarning, match="4 tokens"):
        assert torch.equal(generate(gpt2, long, eos_token_id=None), expected)


def test_settings_come_from_arguments_then_the_config_then_the_model():
    model = tiny_gpt2()
    model.generation_config.max_new_tokens = 4
    model.generation_config.repetition_penalty = 2.0
    model.generation_config.num_beams = 2
    config = GenerationConfig(num_beams=3, length_penalty=2.0)
    for given in ({}, {"generation_config": config}):
        for stated in ({}, {"num_beams": 1}, {"repetition_penalty": None, "max_new_tokens": 6}):
            settings = {**given, **stated}
            assert torch.equal(generate(model, IDS, **settings), model.generate(IDS, **settings))
    with_mapping = generate(model, IDS, {"num_beams": 3, "length_penalty": 2.0})
    assert torch.equal(with_mapping, model.generate(IDS, config))


@pytest.mark.filterwarnings("ignore::foretell.SettingWarning")
def test_a_config_of_the_wrong_kind_is_refused(gpt2: Any):
    with pytest.raises(ConfigError, match="foretell's own"):
        generate(gpt2, IDS, foretell.GenerationConfig(max_new_tokens=3))
    with pytest.raises(ConfigError, match="must be a transformers GenerationConfig"):
        generate(gpt2, IDS, 7)
    stranger = GenerationConfig(max_new_tokens=2)
    stranger.presence_penalty = 1.0
    with pytest.raises(ConfigError, match="'presence_penalty'"):
        generate(gpt2, IDS, stranger)
    gpt2.generation_config.presence_penalty = 1.0
    try:
        assert generate(gpt2, IDS, stranger).shape == (1, 5)
    finally:
        del gpt2.generation_config.presence_penalty


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.7}, "temperature=0.7 has no effect without do_sample=True"),
        ({"top_k": 5}, "top_k=5 has no effect without do_sample=True"),
        ({"early_stopping": True}, "early_stopping=True has no effect without num_beams"),
        ({"output_scores": True}, "output_scores=True has no effect without return_dict"),
        ({"max_length": 9}, "max_length=9 has no effect beside max_new_tokens=2"),
        ({"min_new_tokens": 5}, "at least 5 tokens are asked for, but 2"),
    ],
)
def test_what_lacks_another_setting_earns_a_warning(gpt2: Any, settings: Any, message: str):
    with pytest.warns(SettingWarning, match=message) as warned:
        generate(gpt2, IDS, max_new_tokens=2, **settings)
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    "settings",
    [
        {"num_return_sequences": 2},
        {"num_beams": 2, "num_return_sequences": 3},
        {"do_sample": True, "temperature": 0.0},
        {"do_sample": True, "top_p": 1.5},
        {"repetition_penalty": 0.0},
        {"bad_words_ids": [[]]},
        {"max_new_tokens": 0},
        {"num_beams": 2, "guidance_scale": 1.5},
    ],
)
def test_contradictions_and_values_out_of_range_are_refused(gpt2: Any, settings: Any):
    with pytest.raises(ConfigError):
        generate(gpt2, IDS, **{"max_new_tokens": 2, **settings})


WRONG: list[Any] = ["abc", 1.5, [], ["a"], [1.5], {}, object(), True, math.nan, b"x", lambda: 1]
ACTIVE: dict[str, dict[str, Any]] = {
    **{name: {"do_sample": True} for name in fields.SAMPLING},
    **{name: {"num_beams": 2} for name in fields.BEAMS},
    **{name: {"return_dict_in_generate": True} for name in fields.RECORDS},
}


@pytest.mark.filterwarnings("ignore::foretell.SettingWarning")
@pytest.mark.parametrize("name", [*fields.HONOURED, *fields.ARGUMENTS])
def test_a_value_of_the_wrong_type_is_one_sentence(name: str):
    llm = toy_llm()
    for value in (*WRONG, torch.tensor([1, 2]), np.array([1.5])):
        settings = {"max_new_tokens": 1, **ACTIVE.get(name, {}), name: value}
        if name == "tokenizer":  # an LLM has its own
            continue
        if name.startswith("negative"):
            settings["guidance_scale"] = 1.5
        sentence = sentence_of(llm, {"inputs": [[3, 4, 5]], **settings})
        assert sentence is None or name in sentence or "inputs" in sentence
        assert sentence is None or ("\n" not in sentence and len(sentence) < 400)


def sentence_of(llm: Any, settings: dict[str, Any]) -> str | None:
    """Why a call is refused, if it is; anything but foretell's own error is raised."""
    try:
        generate(llm, **settings)
    except foretell.ForetellError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_sample": 1}, "do_sample=1 must be True or False"),
        ({"num_beams": "5"}, "num_beams='5' must be an integer"),
        ({"num_return_sequences": [2]}, "num_return_sequences=list must be an integer"),
        ({"max_new_tokens": "5"}, "max_new_tokens='5' must be an integer"),
        ({"max_length": 9.0}, "max_length=9.0 must be an integer"),
        ({"epsilon_cutoff": "a", "do_sample": True}, "epsilon_cutoff='a' must be a number"),
        ({"early_stopping": "soon", "num_beams": 2}, "early_stopping='soon' must be True, False"),
        ({"eos_token_id": "9"}, "eos_token_id='9' must be a token id or a list of token ids"),
        ({"pad_token_id": [0]}, "pad_token_id=list must be a token id"),
        ({"stop_strings": 3}, "stop_strings=3 must be a text or a list of texts"),
        ({"bad_words_ids": [3]}, "bad_words_ids=list must be a list of lists of token ids"),
        ({"prefix_allowed_tokens_fn": 3}, "prefix_allowed_tokens_fn=3 must be a function"),
        ({"streamer": print}, "streamer=builtin.* must have the methods put and end"),
        ({"stopping_criteria": [lambda ids: True]}, r"stopping_criteria '<lambda>' needs 1 arg"),
        ({"logits_processor": [lambda row: row]}, r"logits_processor '<lambda>' needs 1 argument:"),
    ],
)
def test_what_is_wrong_is_named(gpt2: Any, settings: Any, message: str):
    with pytest.raises(ConfigError, match=f"^{message}"):
        generate(gpt2, IDS, **{"max_new_tokens": 2, **settings})


def test_bad_words_that_only_end_a_text_are_dropped(gpt2: Any):
    for words in ([[9]], [[9], [4]]):
        settings: dict[str, Any] = {"max_new_tokens": 6, "eos_token_id": [9, 4], "pad_token_id": 0}
        expected = gpt2.generate(IDS, bad_words_ids=words, **settings)
        assert torch.equal(generate(gpt2, IDS, bad_words_ids=words, **settings), expected)


@pytest.mark.parametrize("kind", [np.int64, np.int32])
def test_numbers_of_numpy_are_numbers(gpt2: Any, kind: Any):
    plain = generate(gpt2, IDS, max_new_tokens=3, num_beams=2)
    assert torch.equal(generate(gpt2, IDS, max_new_tokens=kind(3), num_beams=kind(2)), plain)


def test_a_length_that_is_used_up_is_refused(gpt2: Any):
    with pytest.raises(RequestError, match="max_length=3 leaves nothing"):
        generate(gpt2, IDS, max_length=3)
    with pytest.raises(RequestError, match="context"):
        generate(gpt2, IDS, max_new_tokens=100)


def test_a_config_that_was_saved_means_the_same(gpt2: Any, tmp_path: Path):
    saved = GenerationConfig(
        max_new_tokens=5, num_beams=3, bad_words_ids=[[7]], eos_token_id=[1, 9], pad_token_id=2
    )
    saved.save_pretrained(tmp_path)
    values = json.loads((tmp_path / "generation_config.json").read_text())
    expected = gpt2.generate(IDS, GenerationConfig.from_pretrained(tmp_path))
    assert torch.equal(generate(gpt2, IDS, GenerationConfig.from_pretrained(tmp_path)), expected)
    assert torch.equal(generate(gpt2, IDS, values), expected)
