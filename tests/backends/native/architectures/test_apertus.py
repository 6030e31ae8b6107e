"""Tiny random Apertuses against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import write_family
from support.kin_files import APERTUS
from support.reference_model import EXACT, assert_like_the_reference

from foretell.errors import ModelFileError, UnsupportedModelError

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}


PLAIN = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}}


class TestApertus(FamilyContract):
    family = APERTUS
    models: ClassVar = {
        "tiny": PLAIN,
        "tied": {**PLAIN, "tie_word_embeddings": True, "seed": 2},
        "biases": {**PLAIN, "attention_bias": True, "num_hidden_layers": 3, "seed": 3},
    }
    only_folders: ClassVar = {"stretched": {"rope_parameters": LLAMA3, "seed": 4}}


def test_files_of_stretched_models(load, tmp_path):
    """Their divisors are rounded, so that bits need not be those of the folder."""
    model = make_once(TestApertus, "stretched")
    path = write_family(tmp_path / "m.gguf", APERTUS, model)
    assert_like_the_reference(load(path, **EXACT), model)


def test_another_activation_is_refused(tmp_path):
    model = make_once(TestApertus, "tiny")
    model.config.hidden_act = "silu"
    folder = save(tmp_path, model)
    model.config.hidden_act = "xielu"
    with pytest.raises(UnsupportedModelError, match="an activation other than xielu"):
        load_folder(folder)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"xielu.alpha_n": [0.5]}, "xielu.alpha_n is of 1 layers: must be of 2"),
        ({"xielu.beta": "0.5"}, r"'xielu.beta' is '0.5': must be a number from -1000 to 1000"),
        ({"xielu.gamma": 0.5}, "metadata 'xielu.gamma' is not supported"),
    ],
)
def test_other_constants_are_refused(load, tmp_path, more, message):
    model = make_once(TestApertus, "tiny")
    path = write_family(tmp_path / "m.gguf", APERTUS, model, more_beyond=more)
    with pytest.raises((ModelFileError, UnsupportedModelError), match=message):
        load(path)


def test_one_number_may_stand_for_all_layers(load, tmp_path):
    model = make_once(TestApertus, "tiny")
    path = write_family(tmp_path / "m.gguf", APERTUS, model, more_beyond={"xielu.beta": 0.5})
    assert load(path).info.vocab_size == model.config.vocab_size
