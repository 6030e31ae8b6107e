"""Tiny random Qwen 3.5s against transformers."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from support.adapters import Adapter
from support.delta_families import QWEN3_5, SIZES
from support.family_contract import FamilyContract, load_folder, make_once
from support.family_files import write_family
from support.llama_files import SIZES as TEXT_SIZES
from support.reference_model import EXACT, assert_like_the_reference
from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

from foretell.backends.native.options import AdapterChoice
from foretell.errors import UnsupportedModelError

VISION = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 64,
    "num_position_embeddings": 16,
}


class TestQwen35(FamilyContract):
    family = QWEN3_5
    models: ClassVar = {
        "as many keys as values": {"linear_num_key_heads": 4, "tie_word_embeddings": True},
        "in turns": {"seed": 2, "linear_num_value_heads": 6},
    }
    only_folders: ClassVar = {
        "biases": {"attention_bias": True},
        "kinds as usual": {"layer_types": None, "num_hidden_layers": 4},
    }


def test_of_what_reads_pictures_the_text_part_is_run(tmp_path):
    """As transformers does; what is left out is told."""
    model = make_once(TestQwen35, "in turns")
    text = {**TEXT_SIZES, **SIZES, "linear_num_value_heads": 6}
    whole = Qwen3_5ForConditionalGeneration(
        Qwen3_5Config(text_config=text, vision_config=VISION, tie_word_embeddings=False)
    )
    whole.model.language_model.load_state_dict(model.model.state_dict())
    whole.lm_head.load_state_dict(model.lm_head.state_dict())
    further = {"mtp.fc.weight": torch.ones(64, 128)}
    whole.save_pretrained(tmp_path, state_dict=whole.state_dict() | further)
    backend = load_folder(tmp_path, **EXACT)
    assert_like_the_reference(backend, model)
    assert {name.split(".")[0] for name in backend.unread} == {"mtp", "model"}
    assert all(name.startswith(("mtp.", "model.visual.")) for name in backend.unread)


@pytest.mark.parametrize("target", ["in_proj_qkv", "in_proj_z", "in_proj_a", "out_proj"])
def test_adapters_of_matrices_that_files_have_in_another_order_are_refused(tmp_path, load, target):
    model = make_once(TestQwen35, "in turns")
    path = write_family(tmp_path / "m.gguf", QWEN3_5, model)
    adapter = Adapter(targets=(target,)).save(tmp_path / "adapter", model)
    with pytest.raises(UnsupportedModelError, match=f"{target}.*in different orders"):
        load(path, adapters=[AdapterChoice(adapter)])
