"""Presets give way to what is stated outright."""

from __future__ import annotations

from typing import Any

import pytest
from support.toy import toy_tokenizer

from foretell import GenerationConfig
from foretell.config.presets import PRESETS
from foretell.config.settings import SAMPLING_SETTINGS
from foretell.inputs.processor import InputProcessor
from foretell.inputs.recommended import Recommended

GREEDY: tuple[dict[str, Any], ...] = ({"do_sample": False}, {"temperature": 0.0})


@pytest.mark.parametrize("stated", GREEDY)
@pytest.mark.parametrize("name", PRESETS)
def test_greedy_decoding_wins(name: str, stated: dict[str, Any]) -> None:
    config = GenerationConfig(preset=name, **stated)
    assert not config.is_sampling
    shaping = {x for x in SAMPLING_SETTINGS if getattr(config, x) is not None}
    assert shaping <= set(stated)
    assert config.repetition_penalty == PRESETS[name].settings.get("repetition_penalty")


@pytest.mark.parametrize("stated", [{"temperature": 0.7}, {"top_k": 5}, {"do_sample": True}])
def test_sampling_wins_over_the_greedy_preset(stated: dict[str, Any]) -> None:
    assert GenerationConfig(preset="greedy", **stated).is_sampling


def test_mirostat_wins_over_other_cuts() -> None:
    config = GenerationConfig(preset="chat", mirostat=2)
    assert (config.temperature, config.top_p) == (0.7, None)


@pytest.mark.parametrize("stated", GREEDY)
def test_greedy_decoding_wins_over_what_the_model_recommends(stated: dict[str, Any]) -> None:
    recommended = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.1}
    inputs = InputProcessor(toy_tokenizer(), recommended, lambda request: None)
    config = inputs.settings(GenerationConfig(preset="model"), stated)
    assert (config.is_sampling, config.repetition_penalty) == (False, 1.1)


WHOLE: dict[str, Any] = {
    "temperature": 0.5,
    "top_k": 40,
    "penalty_scope": 64,
    "repetition_penalty": 1.0,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
}
"""llama.cpp's settings, each at its default there but the first: what a file may write down."""


@pytest.mark.parametrize(
    ("recommended", "stated", "expected"),
    [
        (WHOLE, {}, {"temperature": 0.5, "top_k": 40}),
        ({"top_k": 40, "penalty_scope": 64, "mirostat_tau": 5.0}, {}, {"top_k": 40}),
        (WHOLE, {"repetition_penalty": 1.2}, {"penalty_scope": 64}),
        (WHOLE | {"repetition_penalty": 1.2}, {}, {"penalty_scope": 64}),
        (WHOLE | {"mirostat": 2}, {}, {"top_k": None, "mirostat_tau": 5.0}),
        (WHOLE | {"mirostat": 2}, {"top_k": 5}, {"top_k": 5, "mirostat": None}),
    ],
)
def test_what_has_no_effect_in_a_models_file_is_left_out(
    recommended: dict[str, Any], stated: dict[str, Any], expected: dict[str, Any]
) -> None:
    config = Recommended(recommended, "m.gguf").config(stated).override(**stated)
    assert {name: getattr(config, name) for name in expected} == expected


def test_sampling_wins_over_a_model_that_recommends_none() -> None:
    inputs = InputProcessor(toy_tokenizer(), {"do_sample": False}, lambda request: None)
    assert inputs.settings(GenerationConfig(preset="model"), {"temperature": 0.6}).is_sampling
