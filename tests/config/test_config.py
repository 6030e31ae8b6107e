import dataclasses
import math
import pickle

import numpy as np
import pytest

from foretell import ConfigError, GenerationConfig
from foretell.config import conflicts
from foretell.config.dialects import TRANSFORMERS, Dialect
from foretell.config.ranges import Range
from foretell.config.settings import ALIASES, GROUPS, SAMPLING_SETTINGS, SETTINGS, Kind
from foretell.config.values import Notation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "temperature=-1 is out of range: must be a finite number ≥ 0"),
        ({"temperature": math.nan}, "temperature=nan is out of range"),
        ({"temperature": math.inf}, "temperature=inf is out of range"),
        ({"temperature": "0.5"}, "temperature='0.5' must be a finite number"),
        ({"temperature": True}, "temperature=True must be a finite number"),
        ({"top_k": -1}, "top_k=-1 is out of range: must be an integer ≥ 0"),
        ({"top_k": 1.5}, "top_k=1.5 must be an integer"),
        ({"top_p": -0.1}, "top_p=-0.1 is out of range: must be a number from 0 to 1"),
        ({"top_p": 2}, "top_p=2 is out of range"),
        ({"top_p": math.nan}, "top_p=nan is out of range"),
        ({"max_new_tokens": 0}, "max_new_tokens=0 is out of range: must be an integer ≥ 1"),
        ({"max_new_tokens": 3.0}, "max_new_tokens=3.0 must be an integer"),
        ({"seed": -1}, "seed=-1 is out of range"),
        ({"seed": 2**64}, "must be an integer from 0 to 18446744073709551615"),
        ({"logprobs": -2}, "logprobs=-2 is out of range"),
        ({"do_sample": "yes"}, "do_sample='yes' must be True or False"),
        ({"ignore_eos": 1}, "ignore_eos=1 must be True or False"),
        ({"do_sample": False, "top_k": 5}, "top_k=5 has no effect with do_sample=False"),
        ({"do_sample": False, "temperature": 0.5}, "temperature=0.5 has no effect"),
        ({"do_sample": True, "temperature": 0}, "contradicts temperature=0"),
        ({"num_return_sequences": 0}, "num_return_sequences=0 is out of range: must be an integer"),
        ({"num_return_sequences": 2}, "num_return_sequences=2 contradicts greedy decoding"),
        ({"num_return_sequences": 2, "temperature": 0}, "contradicts greedy decoding"),
        ({"num_return_sequences": 2, "preset": "greedy"}, "contradicts greedy decoding"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        GenerationConfig(**settings)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError):
        GenerationConfig().override(**settings)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"guidance_scale": 0}, "takes two sequences"),
        ({"guidance_scale": 0.0}, "takes two sequences"),
        ({"guidance_scale": 1.5}, "takes two sequences"),
        ({"adaptive_target": 0.0}, "learns from one line"),
        ({"mirostat": 2}, "learns from one line"),
    ],
)
def test_beams_go_with_nothing_that_takes_or_makes_another_sequence(setting, reason):
    with pytest.raises(ConfigError, match=f"contradicts num_beams=2: .*{reason}"):
        GenerationConfig(num_beams=2, **setting)


@pytest.mark.parametrize(
    "setting",
    [
        {"temperature": 1},
        {"temperature": 0},
        {"top_p": 1.0},
        {"frequency_penalty": 0.0},
        {"presence_penalty": 0},
        {"repetition_penalty": 1},
        {"mirostat": 0},
        {"min_new_tokens": 0},
        {"renormalize_logits": False},
    ],
)
def test_a_chain_needs_no_place_for_what_is_off(setting):
    (name,) = setting
    settings = {"processors": ["top_k"], **setting}
    assert GenerationConfig(**settings).processors == ("top_k",)
    if name in ("temperature", "frequency_penalty"):
        with pytest.raises(ConfigError, match=f"{name} is set, but processors has no"):
            GenerationConfig(**settings | {name: 0.5})


@pytest.mark.parametrize("setting", [{"guidance_scale": 1}, {"mirostat": 0}, {"trace": False}])
def test_beams_go_with_what_is_off(setting):
    assert GenerationConfig(num_beams=2, **setting).num_beams == 2


@pytest.mark.parametrize(
    ("settings", "samples"),
    [
        ({}, False),
        ({"max_new_tokens": 5, "seed": 1, "logprobs": 0}, False),
        ({"temperature": 0.5}, True),
        ({"temperature": 1}, True),
        ({"top_k": 5}, True),
        ({"top_p": 0.9}, True),
        ({"do_sample": True}, True),
        ({"do_sample": False}, False),
        ({"do_sample": False, "temperature": 0}, False),
        ({"temperature": 0}, False),
        ({"temperature": 0, "top_k": 5, "top_p": 0.5}, False),
    ],
)
def test_sampling_settings_mean_sampling(settings, samples):
    assert GenerationConfig(**settings).is_sampling is samples


@pytest.mark.parametrize(
    "settings", [{"top_p": 0.9}, {"do_sample": True}, {"preset": "creative"}, {"dialect": "vllm"}]
)
def test_samples_may_be_several_where_they_differ(settings):
    assert GenerationConfig(num_return_sequences=3, **settings).num_return_sequences == 3


def test_numpys_numbers_are_numbers():
    assert GenerationConfig(temperature=np.float64(0.5)).temperature == 0.5


def test_override_replaces_and_knows_its_names():
    config = GenerationConfig(top_k=5, seed=2)
    assert config.override(top_k=None, top_p=0.5) == GenerationConfig(top_p=0.5, seed=2)
    assert config.override() == config
    with pytest.raises(ConfigError, match="unknown setting 'topk': did you mean 'top_k'"):
        config.override(topk=3)
    with pytest.raises(ConfigError, match="unknown setting 'zzz': `foretell guide` lists all"):
        config.override(zzz=3)


def test_a_seed_is_drawn_only_where_it_matters():
    assert GenerationConfig().with_seed().seed is None
    assert GenerationConfig(top_k=5, seed=3).with_seed().seed == 3
    drawn = {GenerationConfig(top_k=5).with_seed().seed for _ in range(5)}
    assert len(drawn) == 5


def test_as_dict_has_what_is_set():
    assert GenerationConfig().as_dict() == {}
    config = GenerationConfig(top_k=0, seed=0, do_sample=True, ignore_eos=True)
    assert config.as_dict() == {"top_k": 0, "seed": 0, "do_sample": True, "ignore_eos": True}
    assert GenerationConfig(**config.as_dict()) == config
    assert GenerationConfig(do_sample=False).as_dict() == {"do_sample": False}


def test_it_is_hashable_frozen_data():
    config = GenerationConfig(top_k=5)
    assert pickle.loads(pickle.dumps(config)) == config
    assert len({config, GenerationConfig(top_k=5)}) == 1
    biased = [GenerationConfig(logit_bias={3: 1}, sequence_bias={(1, 2): x}) for x in (1, 1, 2)]
    assert len({*biased}) == 2
    with pytest.raises(AttributeError):
        config.top_k = 6


FIELDS = {field.name: field.default for field in dataclasses.fields(GenerationConfig) if field.init}


def test_the_table_and_the_fields_agree():
    assert set(SETTINGS) == set(FIELDS)
    assert [name for names in GROUPS.values() for name in names] == list(SETTINGS)


OTHER_DEFAULTS = {"dialect": "transformers", "logprobs_stage": ("raw",)}


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_that_is_not_stated_does_nothing(name):
    row, default = SETTINGS[name], FIELDS[name]
    if isinstance(row.values, Range):
        assert default in (None, row.neutral_value)
    elif row.values.notation is Notation.FLAG:
        assert default in (None, False)
    else:
        assert default in (None, (), False, OTHER_DEFAULTS.get(name))
    if default not in (None, ()):
        assert row.values.check(name, default) == default


def test_rows_name_settings():
    for name, row in SETTINGS.items():
        assert {*row.needs, *row.not_with, *filter(None, [row.at_most])} <= set(SETTINGS), name
        assert bool(row.needs) or row.kind is not Kind.DETAIL or name == "min_tokens_to_keep"
    assert not set(ALIASES) & set(SETTINGS)
    places = sorted(row.usual for row in SETTINGS.values() if row.usual)
    assert places == list(range(1, len(places) + 1))


def test_any_two_settings_can_be_declared_to_contradict_each_other(monkeypatch):
    monkeypatch.setattr(conflicts, "INCOMPATIBLE", {("stop", "max_new_tokens"): "for a reason"})
    assert GenerationConfig(stop=["a"]).stop == ("a",)
    assert GenerationConfig(stop=[], max_new_tokens=3).max_new_tokens == 3
    message = r"stop=\('a',\) contradicts max_new_tokens=3: for a reason"
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(stop=["a"], max_new_tokens=3)


def test_what_samples_is_what_the_table_says():
    for name in SAMPLING_SETTINGS:
        values = SETTINGS[name].values
        assert isinstance(values, Range)
        value = values.kind(1) if values.high >= 1 else 0.5
        assert GenerationConfig(**{name: value}).is_sampling
        with pytest.raises(ConfigError, match=f"{name}={value!r} has no effect with do_sample"):
            GenerationConfig(**{name: value}, do_sample=False)


def test_what_changes_nothing_makes_no_other_config():
    config = GenerationConfig(top_k=5, preset="code")
    assert config.override(seed=None, ignore_eos=False, temperature=None) is config
    assert config.override(temperature=0.3).stated["temperature"] == 0.3
    assert config.override(top_k=6).top_k == 6
    assert config.override(top_k=None).stated == {"preset": "code"}


def test_an_order_that_forgets_a_stage_is_noticed():
    with pytest.raises(ValueError, match="min_p has no place"):
        Dialect("theirs", "1", tuple(name for name in TRANSFORMERS.order if name != "min_p"))


@pytest.mark.parametrize(
    ("settings", "right"),
    [
        ({"temperature": math.nan}, "must be a finite number ≥ 0 (logits"),
        ({"max_time": 0}, "must be a finite number > 0 (seconds"),
        ({"presence_penalty": math.inf}, "must be a finite number (taken off"),
    ],
)
def test_bounds_are_told_in_words(settings, right):
    with pytest.raises(ConfigError) as caught:
        GenerationConfig(**settings)
    assert right in str(caught.value)
    assert "e+38" not in str(caught.value)
