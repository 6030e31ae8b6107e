"""Checkpoint folders on the native backend, beside transformers on the same folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.checkpoint_folders import logits_of, quantized, reference_logits, save_llama
from support.llama_files import make_model, write_model

from foretell.backends.native.backend import NativeBackend
from foretell.errors import ConfigError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile

EXACT = {"activations": "float32", "kv_dtype": "float32", "threads": 1}


def load(folder: Path, **settings) -> NativeBackend:
    with Checkpoint.open(folder) as checkpoint:
        return NativeBackend.load(checkpoint, **settings)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("shards", "tied"), [("1GB", True), ("30KB", False)])
def test_logits_equal_transformers(tmp_path: Path, dtype: str, shards: str, tied: bool) -> None:
    folder = save_llama(tmp_path, dtype, shards, tie_word_embeddings=tied)
    assert (len(list(folder.glob("*.safetensors"))) > 1) == (shards == "30KB")
    expected = reference_logits(folder)
    assert np.abs(expected).max() > 3
    actual = logits_of(load(folder, **EXACT))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_theta": 500.0},
        {"rope_type": "linear", "factor": 3.0},
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ],
)
def test_rotary_scaling_equals_transformers(tmp_path: Path, rope: dict) -> None:
    folder = save_llama(tmp_path, rope=rope, head_dim=32)
    np.testing.assert_allclose(
        logits_of(load(folder, **EXACT)), reference_logits(folder), rtol=1e-5, atol=2e-4
    )


def test_a_folder_and_a_gguf_file_agree(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "folder")
    with GGUFFile.open(write_model(tmp_path / "m.gguf", make_model())) as file:
        expected = logits_of(NativeBackend.load(file, **EXACT))
    np.testing.assert_allclose(logits_of(load(folder, **EXACT)), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", ["q8", "q4"])
def test_quantized_logits_are_those_of_the_quantized_weights(tmp_path: Path, kind: str) -> None:
    folder = save_llama(tmp_path, "bfloat16", tie_word_embeddings=False)
    backend = load(folder, quantize=kind, **EXACT)
    expected = reference_logits(folder, change=lambda weight: quantized(weight, kind))
    np.testing.assert_allclose(logits_of(backend), expected, rtol=1e-5, atol=1e-4)
    assert np.abs(expected - reference_logits(folder)).max() > 0.01
    assert backend.info.description.startswith(f"{tmp_path.name} in {kind}, ")
    assert backend.info.weight_bytes < load(folder, **EXACT).info.weight_bytes * 0.6


def test_gguf_floats_are_quantized_alike(tmp_path: Path) -> None:
    settings = {"quantize": "q8", **EXACT}
    with GGUFFile.open(write_model(tmp_path / "m.gguf", make_model(), "BF16")) as file:
        error = logits_of(NativeBackend.load(file, **settings)) - logits_of(
            NativeBackend.load(file, **EXACT)
        )
    assert 0 < np.abs(error).max() < 5


def test_what_is_quantized_already_is_refused(tiny_model_path: Path) -> None:
    with (
        GGUFFile.open(tiny_model_path) as file,
        pytest.raises(ConfigError, match=r"quantize='q8' has no effect on .*quantized already"),
    ):
        NativeBackend.load(file, quantize="q8")


def test_quantize_has_two_values(tiny_model_path: Path) -> None:
    with (
        GGUFFile.open(tiny_model_path) as file,
        pytest.raises(ConfigError, match="quantize='q5' must be one of 'q8', 'q4'"),
    ):
        NativeBackend.load(file, quantize="q5")  # type: ignore[arg-type]


def test_rows_that_make_no_groups_are_not_quantized(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, hidden_size=48, num_attention_heads=3, num_key_value_heads=1)
    with pytest.raises(UnsupportedModelError, match="rows of 48 values: to be quantized"):
        load(folder, quantize="q4")


def test_names_without_the_first_part_are_found(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = save_llama(tmp_path)
    expected = logits_of(load(folder, **EXACT))
    tensors = load_file(folder / "model.safetensors")
    bare = {name.removeprefix("model."): value for name, value in tensors.items()}
    save_file(bare, folder / "model.safetensors")
    np.testing.assert_array_equal(logits_of(load(folder, **EXACT)), expected)


def test_a_snapshot_is_called_as_its_repository(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "models--org--tiny" / "snapshots" / "0f3a")
    assert load(folder).info.description.startswith("org/tiny, ")


def test_pages_are_given_back_once_they_are_packed(tmp_path: Path, monkeypatch) -> None:
    """So that the weights do not lie in memory twice."""
    forgotten = []
    monkeypatch.setattr(Checkpoint, "forget_pages", lambda _, name: forgotten.append(name))
    with Checkpoint.open(save_llama(tmp_path)) as checkpoint:
        NativeBackend.load(checkpoint, **EXACT)
        matrices = [name for name, info in checkpoint.tensors.items() if len(info.shape) == 2]
    assert sorted(forgotten) == sorted(matrices)
