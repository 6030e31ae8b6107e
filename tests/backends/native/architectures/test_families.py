"""Tiny random models of each family against transformers, from files and from folders."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.backend_contract import Piece, run
from support.checkpoint_folders import quantized
from support.family_files import GEMMA3, GPT2, MISTRAL, QWEN2, QWEN3, make_family, write_family
from support.kernel_bench import ISAS, bits
from support.reference_model import EXACT, assert_like_the_reference, prefill_and_decode, some_ids

from foretell.backends.native.backend import NativeBackend
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint

MODELS = {
    "gpt2": (GPT2, {}),
    "gpt2, untied, wide": (
        GPT2,
        {"tie_word_embeddings": False, "n_embd": 96, "n_head": 2, "n_inner": 100, "seed": 1},
    ),
    "gemma3": (GEMMA3, {}),
    "gemma3, other bases": (
        GEMMA3,
        {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 500_000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 3_000.0},
            },
            "num_key_value_heads": 1,
            "head_dim": 64,
            "query_pre_attn_scalar": 64,
            "seed": 2,
        },
    ),
    "qwen2": (QWEN2, {"seed": 3}),
    "qwen3": (QWEN3, {"tie_word_embeddings": True, "seed": 4}),
}
ONLY_FOLDERS = {
    "mistral": (MISTRAL, {"sliding_window": 13, "seed": 5}),
    "mistral without a window": (MISTRAL, {"sliding_window": None, "seed": 6}),
    "gemma3, scale of its own": (GEMMA3, {"query_pre_attn_scalar": 50, "seed": 7}),
    "gemma3, layers of its own": (
        GEMMA3,
        {
            "num_hidden_layers": 3,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
            "tie_word_embeddings": False,
            "seed": 8,
        },
    ),
    "qwen3, windows above": (
        QWEN3,
        {"use_sliding_window": True, "sliding_window": 15, "max_window_layers": 1, "seed": 9},
    ),
}
EVERY_MODEL = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def models():
    """Models by their names, made when asked for."""
    made, all_models = {}, MODELS | ONLY_FOLDERS

    def get(name):
        if name not in made:
            made[name] = make_family(all_models[name][0], **all_models[name][1])
        return all_models[name][0], made[name]

    return get


def save(folder: Path, model) -> Path:
    model.save_pretrained(folder)
    return folder


def load_folder(folder: Path, **settings) -> NativeBackend:
    with Checkpoint.open(folder) as checkpoint:
        return NativeBackend.load(checkpoint, **settings)


@pytest.mark.parametrize("isa", ISAS)
@EVERY_MODEL
def test_files(models, load, tmp_path, name, isa):
    family, model = models(name)
    backend = load(write_family(tmp_path / "m.gguf", family, model), isa, **EXACT)
    assert_like_the_reference(backend, model)


@pytest.mark.parametrize("name", [*MODELS, *ONLY_FOLDERS])
def test_folders(models, tmp_path, name):
    _, model = models(name)
    assert_like_the_reference(load_folder(save(tmp_path, model), **EXACT), model)


@EVERY_MODEL
def test_files_and_folders_agree_to_the_bit(models, load, tmp_path, name):
    family, model = models(name)
    path = write_family(tmp_path / "m.gguf", family, model)
    ids = some_ids(model, 30)
    results = [
        prefill_and_decode(backend, ids, 25)
        for backend in (
            load(path, activations="float32"),
            load_folder(save(tmp_path / "folder", model), activations="float32"),
        )
    ]
    np.testing.assert_array_equal(bits(results[0]), bits(results[1]))


@EVERY_MODEL
def test_the_same_bits_on_every_instruction_set_team_and_chunk(models, load, tmp_path, name):
    family, model = models(name)
    whole_groups = all(size % 32 == 0 for size in widths(model))
    path = write_family(tmp_path / "m.gguf", family, model, "Q8_0" if whole_groups else "F16")
    ids = some_ids(model, 40)
    expected = prefill_and_decode(load(path, ISAS[0], threads=1), ids, len(ids))
    ways = [(isa, threads, prompt) for isa in ISAS for threads, prompt in ((1, 1), (2, 25))]
    for isa, threads, prompt in [*ways, (ISAS[0], 3, 22)]:
        result = prefill_and_decode(load(path, isa, threads=threads), ids, prompt)
        np.testing.assert_array_equal(bits(result), bits(expected), f"{isa} {threads} {prompt}")


def widths(model):
    """What rows of its matrices may be long."""
    return [size for weight in model.parameters() if weight.ndim == 2 for size in weight.shape[1:]]


@pytest.mark.parametrize("kind", ["q8", "q4"])
def test_quantized_at_load(models, tmp_path, kind):
    """Positions stay as they are; the transposed matrices are quantized by their rows."""
    family, model = models("gpt2")
    ids = some_ids(model, 30)
    ours = load_folder(save(tmp_path / "floats", model), quantize=kind, **EXACT)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in changed.named_parameters():
            if weight.ndim == 2 and "wpe" not in name:
                is_transposed = name.endswith(family.transposed)
                rows = (weight.T if is_transposed else weight).contiguous().numpy()
                new = torch.from_numpy(quantized(rows, kind))
                weight.copy_(new.T if is_transposed else new)
    expected = prefill_and_decode(load_folder(save(tmp_path / kind, changed), **EXACT), ids, 30)
    actual = prefill_and_decode(ours, ids, 30)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4)


def test_positions_past_the_last_are_refused(models, load, tmp_path):
    family, model = models("gpt2")
    backend = load(write_family(tmp_path / "m.gguf", family, model))
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
        ({"n_inner": 96}, ModelFileError, "c_fc.weight' is 64 × 256"),
    ],
    ids=str,
)
def test_gpt2_configs_that_cannot_be_run(models, tmp_path, changes, error, message):
    folder = save(tmp_path, models("gpt2")[1])
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(error, match=message):
        load_folder(folder)
