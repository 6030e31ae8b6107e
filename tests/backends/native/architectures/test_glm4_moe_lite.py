"""Tiny random GLM-4.7-Flashes against transformers."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.latent_files import GLM4_MOE_LITE

from foretell.errors import ModelFileError


class TestGlm4MoeLite(FamilyContract):
    family = GLM4_MOE_LITE
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {
        "in turns": {"num_hidden_layers": 3, "mlp_layer_types": ["sparse", "dense", "sparse"]}
    }


def test_kinds_of_other_layers_are_refused(tmp_path):
    path = save(tmp_path, make_once(TestGlm4MoeLite, "tiny")) / "config.json"
    config = json.loads(path.read_text()) | {"mlp_layer_types": ["dense"]}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelFileError, match="mlp_layer_types must be one of 'dense' and 'sparse'"):
        load_folder(tmp_path)
