"""Rotary frequencies, as files state them: transformers' logits for each way of stating them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.checkpoint_folders import logits_of, reference_logits, save_llama
from support.family_contract import load_folder
from support.family_files import GEMMA3, make_family, write_family
from support.llama_files import make_model, metadata_of, tensors_of, write
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.architectures import read_model
from foretell.backends.native.backend import NativeBackend
from foretell.errors import UnsupportedModelError
from foretell.formats.gguf import GGUFFile

LINEAR = {"rope_type": "linear", "factor": 4.0}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
STRETCHED = {"rope_type": "yarn", "factor": 1.0, "attention_factor": 1.25} | {
    "original_max_position_embeddings": 256
}
FILES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a factor without a type": ({"scaling.factor": 4.0}, LINEAR),
    "the older key": ({"scale_linear": 4.0}, LINEAR),
    "the older key, and the newer": ({"scale_linear": 2.0, "scaling.factor": 4.0}, LINEAR),
    "the older key, and a type": ({"scale_linear": 4.0, "scaling.type": "linear"}, LINEAR),
    "a factor of 0": ({"scaling.factor": 0.0}, {}),
    "a type without a factor": ({"scaling.type": "linear"}, {}),
    "a factor of no scaling": ({"scaling.factor": 4.0, "scaling.type": "none"}, {}),
    "louder scores": ({"scaling.attn_factor": 1.25}, STRETCHED),
    "scores as loud": ({"scaling.attn_factor": 1.0}, {}),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, load: Any, tmp_path: Path) -> None:
    """llama.cpp: the type is linear unless stated; the older key counts where there is no newer."""
    stated, rope = FILES[name]
    model = make_model(rope=rope)
    metadata = {k: v for k, v in metadata_of(model.config).items() if ".rope.scaling." not in k}
    metadata |= {f"llama.rope.{key}": value for key, value in stated.items()}
    backend = load(write(tmp_path / "m.gguf", tensors_of(model), metadata), **EXACT)
    assert_like_the_reference(backend, model)


def test_files_of_gemma_3_have_llama_cpps_usual_base(tmp_path: Path) -> None:
    """Checkpoints have another: 1,000,000."""
    far = {"rope_type": "default", "rope_theta": 10_000.0}
    rope = {"full_attention": far, "sliding_attention": far | {"rope_theta": 3_000.0}}
    model = make_family(GEMMA3, rope_parameters=rope)
    path = write_family(tmp_path / "m.gguf", GEMMA3, model, without=("rope.freq_base",))
    with GGUFFile.open(path) as file:
        assert_like_the_reference(NativeBackend.load(file, **EXACT), model)


def test_both_kinds_of_gemma_3s_layers_rotate_as_much_as_its_file_says(tmp_path: Path) -> None:
    model = make_family(GEMMA3)
    path = write_family(tmp_path / "m.gguf", GEMMA3, model, more={"rope.dimension_count": 16})
    with GGUFFile.open(path) as file:
        read = read_model(file)
    pairs = np.arange(8) / 8
    np.testing.assert_allclose(read.near.frequencies, 10_000.0**-pairs, rtol=1e-6)
    np.testing.assert_allclose(read.rope.frequencies, 1_000_000.0**-pairs, rtol=1e-6)


FOLDERS: dict[str, dict[str, Any]] = {
    "scaling alone": {"rope_scaling": LINEAR, "rope_theta": 5_000.0},
    "scaling of the older name": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "scaling beside parameters": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 7_000.0},
        "rope_scaling": LINEAR,
    },
    "scaling with a base, beside parameters": {
        "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 7_000.0},
        "rope_scaling": LINEAR | {"rope_theta": 3_000.0},
        "rope_theta": 5_000.0,
    },
    "empty scaling beside parameters": {
        "rope_parameters": LINEAR | {"rope_theta": 7_000.0},
        "rope_scaling": {},
    },
    "no scaling beside parameters": {
        "rope_parameters": LINEAR | {"rope_theta": 7_000.0},
        "rope_scaling": None,
    },
    "parameters without a base": {"rope_parameters": LINEAR, "rope_theta": 5_000.0},
    "llama3 without its context": {"rope_scaling": LLAMA3},
    "llama3 with its context outside": {
        "rope_scaling": LLAMA3 | {"original_max_position_embeddings": 128},
        "original_max_position_embeddings": 32,
    },
}


def _change(folder: Path, stated: dict[str, Any]) -> Path:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key in ("rope_parameters", "rope_theta", "rope_scaling"):
        config.pop(key, None)
    path.write_text(json.dumps(config | stated))
    return folder


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name: str, tmp_path: Path) -> None:
    folder = _change(save_llama(tmp_path), FOLDERS[name])
    np.testing.assert_allclose(
        logits_of(load_folder(folder, **EXACT)), reference_logits(folder), rtol=0, atol=1e-4
    )


def test_scaling_that_cannot_run_is_refused_beside_parameters(tmp_path: Path) -> None:
    stated = {
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "rope_scaling": {"rope_type": "spiral", "factor": 4.0},
    }
    with pytest.raises(UnsupportedModelError, match=r"rope_scaling: rope type 'spiral' is not"):
        load_folder(_change(save_llama(tmp_path), stated))


KINDS: dict[str, dict[str, Any]] = {
    "scaling alone": {"rope_scaling": LINEAR},
    "scaling of the older name": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "scaling over parameters": {
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 7_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 3_000.0},
        },
        "rope_scaling": LINEAR,
    },
    "bases of their own": {"rope_theta": 7_000.0, "rope_local_base_freq": 3_000.0},
    "parameters of no kind": {"rope_parameters": LINEAR, "rope_theta": 7_000.0},
}


@pytest.mark.parametrize("name", KINDS)
def test_folders_with_frequencies_of_each_kind(name: str, tmp_path: Path) -> None:
    make_family(GEMMA3).save_pretrained(tmp_path)
    folder = _change(tmp_path, KINDS[name])
    np.testing.assert_allclose(
        logits_of(load_folder(folder, **EXACT)), reference_logits(folder), rtol=0, atol=1e-4
    )
