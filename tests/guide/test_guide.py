"""The guide says what the settings do: checked against the settings themselves."""

from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest

from foretell import ConfigError, GenerationConfig
from foretell.config import FINITE, RANGES
from foretell.config.conflicts import needs_of
from foretell.config.dialects import DIALECTS
from foretell.config.presets import PRESETS
from foretell.config.settings import GROUPS, SAMPLING_SETTINGS, SETTINGS, Kind
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.guide.topics import find_topic, setting_topic, topic_names
from foretell.guide.worked import CASES, WORDS, WRITTEN, distribution, work_out

EVERY = {field.name for field in dataclasses.fields(GenerationConfig) if field.init}
P = np.array(list(WORDS.values()))
HAVE_NEUTRAL = [
    name for name in CASES if name in SETTINGS and SETTINGS[name].neutral_value is not None
]
COUNTS = np.array([1, 2, 0, 0, 0, 0, 0])


def normalized(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def ours(settings: dict[str, object], topic: str) -> np.ndarray:
    return np.array(list(distribution(settings, WRITTEN.get(topic, ())).values()))


def test_every_setting_has_an_entry_and_one_group():
    grouped = [name for names in GROUPS.values() for name in names]
    assert set(SETTINGS) == EVERY
    assert set(grouped) == EVERY
    assert len(grouped) == len(EVERY)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_entry_says_enough(name):
    row = SETTINGS[name]
    assert row.meaning
    assert bool(row.what) == (name not in RANGES)  # a number is described once, by its range
    assert bool(row.low) == bool(row.high)
    assert setting_topic(name).form
    if name in RANGES and RANGES[name].useful:
        assert row.low


@pytest.mark.parametrize("name", RANGES)
def test_numbers_are_those_that_are_enforced(name):
    topic = setting_topic(name)
    kind = int if topic.form == "an integer" else float
    low = -FINITE if topic.low is None else topic.low
    assert topic.useful == RANGES[name].useful
    assert kind is RANGES[name].kind
    with pytest.raises(ConfigError, match="out of range"):
        RANGES[name].check(name, kind(low) if topic.open_low else kind(low * 1.1 - 1))
    RANGES[name].check(name, kind(low + topic.open_low * 1e-3) if kind is float else int(low))
    if topic.high is None:
        RANGES[name].check(name, 10**30 if kind is int else 1e30)
    else:
        RANGES[name].check(name, kind(topic.high))
        with pytest.raises(ConfigError, match="out of range"):
            RANGES[name].check(name, topic.high + 1)


@pytest.mark.parametrize(
    ("name", "useful", "low", "high"),
    [
        ("temperature", (0.1, 2.0), "deterministic", "creative"),
        ("top_k", (1, 100), "safe", "varied"),
        ("top_p", (0.1, 1.0), "focused", "varied"),
        ("repetition_penalty", (1.0, 2.0), "repeats", "fewer repeats"),
    ],
)
def test_the_textbooks_table(name, useful, low, high):
    topic = setting_topic(name)
    assert topic.useful == useful
    assert low in topic.low_effect
    assert high in topic.high_effect


@pytest.mark.parametrize("name", HAVE_NEUTRAL)
def test_neutral_values_change_nothing(name):
    neutral = setting_topic(name).neutral
    assert ours({name: neutral}, name) == pytest.approx(P, rel=1e-6)


HOSTS = {
    "dynatemp_exponent": {"dynatemp_range": 0.5},
    "xtc_threshold": {"xtc_probability": 1.0},
    "mirostat_tau": {"mirostat": 2},
    "mirostat_eta": {"mirostat": 2},
    "adaptive_decay": {"adaptive_target": 0.3},
    "dry_base": {"dry_multiplier": 1.0},
    "dry_allowed_length": {"dry_multiplier": 1.0},
}


def test_what_holds_if_not_set_is_told_of_every_such_number():
    told = {name: row.if_not_set for name, row in SETTINGS.items() if row.if_not_set is not None}
    assert told == {
        "dynatemp_exponent": 1,
        "xtc_threshold": 0.1,
        "mirostat_tau": 5,
        "mirostat_eta": 0.1,
        "adaptive_decay": 0.9,
        "dry_base": 1.75,
        "dry_allowed_length": 2,
    }
    assert set(told) == set(HOSTS)


def processors(settings: dict[str, object]) -> list[bytes]:
    config = GenerationConfig(**settings, seed=0)
    return [pickle.dumps(stage.processor) for stage in build_chain(config, ChainContext(len(P)))]


@pytest.mark.parametrize("name", HOSTS)
def test_what_holds_if_not_set_is_the_chains(name):
    host, value = HOSTS[name], SETTINGS[name].if_not_set
    assert processors(host) == processors({**host, name: value})
    assert processors(host) != processors({**host, name: value * 0.9 if value % 1 else value + 1})


FORMULAS = {
    "temperature": lambda t: P ** (1 / t),
    "top_k": lambda k: np.where(np.arange(len(P)) < k, P, 0),
    "top_p": lambda p: np.where(np.cumsum(P) - P < p, P, 0),
    "min_p": lambda m: np.where(m * P.max() <= P, P, 0),
    "epsilon_cutoff": lambda e: np.where(e <= P, P, 0),
    "eta_cutoff": lambda e: np.where(
        min(e, math.sqrt(e) * math.exp((P * np.log(P)).sum())) <= P, P, 0
    ),
    "top_n_sigma": lambda n: np.where(np.log(P).max() - n * np.log(P).std() <= np.log(P), P, 0),
    "repetition_penalty": lambda r: np.where(COUNTS > 0, P**r, P),
    "frequency_penalty": lambda f: P * np.exp(-f * COUNTS),
    "presence_penalty": lambda a: P * np.exp(-a * (COUNTS > 0)),
    "dry_multiplier": lambda m: P * np.exp(-m * (np.arange(len(P)) == 2)),
    "no_repeat_ngram_size": lambda n: np.where(np.arange(len(P)) == 2, 0, P),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_worked_distributions_follow_the_formula(name):
    example = work_out(name)
    assert example is not None
    assert list(example.before.values()) == pytest.approx(P)
    assert len(example.after) == len(CASES[name])
    for column in example.after:
        expected = normalized(FORMULAS[name](column.settings[name]))
        found = np.array(list(column.probabilities.values()))
        assert found == pytest.approx(expected, rel=1e-5)
        assert (found == 0).tolist() == (expected == 0).tolist()


def test_examples_show_something_and_earn_no_warning():
    for topic, cases in CASES.items():
        shown = [ours(dict(settings), topic) for settings in cases]
        assert any(not np.allclose(P, row) for row in shown), topic
        for settings in cases:
            assert GenerationConfig(**settings).warnings == (), topic


def test_dialects_differ_where_temperature_comes_last():
    columns = zip(DIALECTS, CASES["vllm"], strict=True)
    kept = {name: np.count_nonzero(ours(dict(settings), name)) for name, settings in columns}
    assert kept == {"transformers": 5, "vllm": 5, "llama.cpp": 4}


@pytest.mark.parametrize("name", SAMPLING_SETTINGS)
def test_stated_contradictions_are_enforced(name):
    clauses = setting_topic(name).contradictions
    settings = dict(CASES[name][0])
    with pytest.raises(ConfigError, match="greedy"):
        GenerationConfig(**settings, do_sample=False)
    assert "contradicts do_sample=False (greedy)" in clauses
    if name == "mirostat":
        return
    if any(clause.startswith("contradicts mirostat") for clause in clauses):
        with pytest.raises(ConfigError, match="mirostat"):
            GenerationConfig(**settings, mirostat=2)
    else:
        assert GenerationConfig(**settings, mirostat=2).is_sampling


ALONE = {
    "xtc_exempt_tokens": [1],
    "penalty_scope": "all",
    "penalty_exempt_tokens": [1],
    "dry_sequence_breakers": ["x"],
    "negative_prompt": "x",
    "include_stop_str_in_output": True,
    "logprobs_stage": "final",
    "early_stopping": True,
    "json_whitespace": "compact",
    "lenient": True,
    "allow_thinking": True,
    "num_beam_groups": 2,
    "force_words": ["x"],
    "stochastic_beams": True,
}


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if row.needs])
def test_stated_needs_are_enforced(name):
    (clause,) = (c for c in setting_topic(name).contradictions if "without" in c)
    assert all(host in clause for host in SETTINGS[name].needs)
    value = ALONE[name] if name in ALONE else (RANGES[name].useful or (1,))[0]
    with pytest.raises(ConfigError, match=f"has no effect without {needs_of(name)}"):
        GenerationConfig(**{name: value})


def test_dialect_notes():
    assert setting_topic("top_k").dialects == {
        "transformers": "after temperature; keeps all that equal the k-th",
        "vllm": "after temperature; keeps all that equal the k-th",
        "llama.cpp": "40 if not set and not greedy; before temperature; cuts at k",
    }
    assert setting_topic("repetition_penalty").dialects["llama.cpp"] == (
        "looks back on the last 64 tokens"
    )
    assert setting_topic("presence_penalty").dialects["vllm"] == "looks back on the output"
    assert setting_topic("seed").dialects == {}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("temperature", "temperature"),
        ("--top-p", "top_p"),
        ("Top-K", "top_k"),
        ("temp", "temperature"),
        ("repeat_penalty", "repetition_penalty"),
        ("code", "code"),
        ("llama.cpp", "llama.cpp"),
        ("vllm@0.33", "vllm"),
    ],
)
def test_topics_are_found_by_any_of_their_names(asked, found):
    assert find_topic(asked).name == found


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("temprature", "did you mean 'temperature'"),
        ("--top-pp", "did you mean 'top_p'"),
        ("creativ", "did you mean 'creative'"),
        ("llama-cpp", "did you mean 'llama.cpp'"),
        ("vllm@9", "is not known"),
        ("xyzzy", "`foretell guide` lists all"),
        ("", "`foretell guide` lists all"),
    ],
)
def test_unknown_topics_earn_a_suggestion(asked, hint):
    with pytest.raises(ConfigError, match=hint):
        find_topic(asked)


def test_all_names_are_topics():
    assert len(set(topic_names())) == len(topic_names()) == len(EVERY) + len(PRESETS) + 3
    assert all(find_topic(name).name == name for name in topic_names())


CUTS = [
    (name, settings)
    for name, row in SETTINGS.items()
    if row.kind is Kind.TRUNCATION
    for settings in CASES[name]
]


@pytest.mark.parametrize(("name", "settings"), CUTS, ids=str)
@pytest.mark.parametrize("least", [2, 5, 6, 7])
def test_every_sampler_that_cuts_leaves_min_tokens_to_keep(name, settings, least):
    alone = distribution(settings)
    left = distribution({**settings, "min_tokens_to_keep": least})
    num_alone = sum(p > 0 for p in alone.values())
    assert sum(p > 0 for p in left.values()) >= least
    if num_alone >= least:
        assert left == alone
