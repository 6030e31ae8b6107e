"""Tiny random GPT-Neos against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.family_contract import FolderContract, load_folder, save
from support.family_files import make_family
from support.gpt_files import GPTNEO
from support.state_families import change_config

from foretell.errors import ModelFileError


class TestGPTNeo(FolderContract):
    family = GPTNEO
    models: ClassVar = {
        "tiny": {},
        "six heads": {
            "hidden_size": 96,
            "num_heads": 6,
            "intermediate_size": 100,
            "num_layers": 2,
            "attention_types": [[["local"], 1], [["global"], 1]],
            "seed": 1,
        },
    }

    @pytest.mark.parametrize(
        ("types", "right"),
        [
            ([[["global"], 10**18]], "must give 'global' or 'local' to each of 3 layers"),
            ([[[], 10**18]], "must give 'global' or 'local' to each of 3 layers"),
            ([[[["local"]], 2]], "must give 'global' or 'local' to each of 3 layers"),
            ([[["global"], 1.5]], "must be a list of lists of kinds and counts"),
            (7, "must be a list of lists of kinds and counts"),
        ],
    )
    def test_kinds_of_layers_that_make_no_sense(
        self, types: Any, right: str, tmp_path: Path
    ) -> None:
        save(tmp_path, make_family(GPTNEO))
        change_config(tmp_path, {"attention_types": types})
        with pytest.raises(ModelFileError, match=right):
            load_folder(tmp_path)
