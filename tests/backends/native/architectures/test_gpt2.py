"""Tiny random GPT-2s against transformers, from files and from folders."""

from __future__ import annotations

import copy
import json
from typing import ClassVar

import numpy as np
import pytest
import torch
from support.backend_contract import Piece, run
from support.checkpoint_folders import logits_of, quantized, reference_logits
from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import GPT2, write_family
from support.reference_model import EXACT, prefill_and_decode, some_ids

from foretell.backends.native.architectures.gpt2 import OTHER_NAMES
from foretell.errors import ModelFileError, UnsupportedModelError


class TestGPT2(FamilyContract):
    family = GPT2
    models: ClassVar = {
        "tied": {},
        "untied, wide": {
            "tie_word_embeddings": False,
            "n_embd": 96,
            "n_head": 2,
            "n_inner": 100,
            "seed": 1,
        },
    }


@pytest.fixture
def model():
    return make_once(TestGPT2, "tied")


@pytest.mark.parametrize("kind", ["q8", "q4"])
def test_quantized_at_load(model, tmp_path, kind):
    """Positions stay as they are; the transposed matrices are quantized by their rows."""
    ids = some_ids(model, 30)
    ours = load_folder(save(tmp_path / "floats", model), quantize=kind, **EXACT)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in changed.named_parameters():
            if weight.ndim == 2 and "wpe" not in name:
                is_transposed = name.endswith(GPT2.transposed)
                rows = (weight.T if is_transposed else weight).contiguous().numpy()
                new = torch.from_numpy(quantized(rows, kind))
                weight.copy_(new.T if is_transposed else new)
    expected = prefill_and_decode(load_folder(save(tmp_path / kind, changed), **EXACT), ids, 30)
    actual = prefill_and_decode(ours, ids, 30)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("alone", [True, False])
def test_newer_names_of_a_configs_sizes_win(model, tmp_path, alone):
    folder = save(tmp_path, model)
    config = json.loads((folder / "config.json").read_text())
    sizes = {own: config.pop(own) for own in OTHER_NAMES.values()}
    newer = {name: sizes[own] for name, own in OTHER_NAMES.items()} | {"num_attention_heads": 2}
    older = {} if alone else sizes
    (folder / "config.json").write_text(json.dumps(newer | config | older))
    ours = logits_of(load_folder(folder, **EXACT))
    np.testing.assert_allclose(ours, reference_logits(folder), rtol=0, atol=1e-4)


def test_positions_past_the_last_are_refused(model, load, tmp_path):
    backend = load(write_family(tmp_path / "m.gguf", GPT2, model))
    table = list(range(9))
    assert run(backend, Piece([1], table, 127)).shape == (1, 163)
    with pytest.raises(ValueError, match="position past the last"):
        run(backend, Piece([1], table, 128))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_head": 3}, ModelFileError, "64 values cannot be 3 heads"),
        ({"n_head": 8}, UnsupportedModelError, "a head of 8 values"),
        ({"activation_function": "gelu"}, UnsupportedModelError, "activation_function"),
        ({"scale_attn_by_inverse_layer_idx": True}, UnsupportedModelError, "inverse_layer_idx"),
        ({"n_positions": 256}, ModelFileError, r"wpe.weight' is 128 × 64.* asks for 256 × 64"),
        ({"n_embd": "wide"}, ModelFileError, "'n_embd' is 'wide': must be an integer"),
        ({"hidden_size": "wide"}, ModelFileError, "'hidden_size' is 'wide': must be an integer"),
        ({"n_inner": 96}, ModelFileError, "c_fc.weight' is 64 × 256"),
    ],
    ids=str,
)
def test_configs_that_cannot_be_run(model, tmp_path, changes, error, message):
    folder = save(tmp_path, model)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(error, match=message):
        load_folder(folder)
