"""Tiny random EXAONE 3s against transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from support.family_contract import FamilyContract, load_folder, save
from support.family_files import make_family
from support.kin_files import EXAONE
from support.reference_model import EXACT, assert_like_the_reference

PUBLISHED = {
    "num_layers": "num_hidden_layers",
    "layer_norm_epsilon": "rms_norm_eps",
    "activation_function": "hidden_act",
}


class TestEXAONE(FamilyContract):
    family = EXAONE
    models: ClassVar = {"tiny": {}}
    only_folders: ClassVar = {"tied": {"tie_word_embeddings": True, "seed": 2}}


def test_configs_by_their_publishers_names(tmp_path: Path) -> None:
    model = make_family(EXAONE, rms_norm_eps=0.03)
    path = save(tmp_path, model) / "config.json"
    config = json.loads(path.read_text())
    for published, usual in PUBLISHED.items():
        config[published] = getattr(model.config, usual)
        config.pop(usual, None)
    path.write_text(json.dumps(config))
    assert_like_the_reference(load_folder(tmp_path, **EXACT), model)
