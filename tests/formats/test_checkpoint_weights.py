"""Which of a folder's files are its weights: transformers' order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.checkpoint_folders import logits_of, reference_logits, save_llama
from support.family_contract import load_folder
from support.reference_model import EXACT

from foretell.errors import ModelFileError
from foretell.formats.checkpoint import Checkpoint
from foretell.hub.snapshots import choose_files, missing_files

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def assert_like_transformers(folder: Path) -> None:
    logits = logits_of(load_folder(folder, **EXACT))
    np.testing.assert_allclose(logits, reference_logits(folder), rtol=0, atol=1e-4)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """Whole weights, beside the shards of another model and their index."""
    whole = save_llama(tmp_path / "whole", seed=1)
    folder = save_llama(tmp_path / "both", shards="30KB", seed=2)
    (whole / WEIGHTS).rename(folder / WEIGHTS)
    return folder


def test_whole_weights_come_before_an_index(both: Path) -> None:
    assert_like_transformers(both)


def test_whole_weights_come_before_an_index_that_names_nothing(both: Path) -> None:
    for shard in both.glob("model-0*.safetensors"):
        shard.unlink()
    assert_like_transformers(both)
    (both / INDEX).write_text("{}")
    assert_like_transformers(both)


def test_an_index_serves_where_whole_weights_are_a_link_to_nothing(both: Path) -> None:
    (both / WEIGHTS).unlink()
    (both / WEIGHTS).symlink_to("nowhere")
    assert_like_transformers(both)


def test_the_cache_lacks_nothing_where_the_weights_are_whole(both: Path) -> None:
    (both / "tokenizer.json").write_text("{}")
    for shard in both.glob("model-0*.safetensors"):
        shard.unlink()
    assert missing_files(both) == []


def test_whole_weights_are_fetched_alone() -> None:
    names = ["config.json", "tokenizer.json", WEIGHTS, INDEX, "model-00001-of-00001.safetensors"]
    assert choose_files(names, None)[-1] == WEIGHTS


def _state(folder: Path, name: object) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_weights": name}))
    return folder


@pytest.mark.parametrize("name", ["other.safetensors", "other.safetensors.index.json"])
def test_the_config_may_name_the_weights(both: Path, name: str) -> None:
    tensors = load_file(both / WEIGHTS)
    save_file({key: -value for key, value in tensors.items()}, both / "other.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "other.safetensors")}
    (both / "other.safetensors.index.json").write_text(json.dumps(index))
    assert_like_transformers(_state(both, name))


@pytest.mark.parametrize("name", ["../other.safetensors", "other.bin", 7, "a\x1b.safetensors"])
def test_the_config_may_not_name_others(both: Path, name: object) -> None:
    with pytest.raises(ModelFileError, match="as transformers_weights: must be") as caught:
        Checkpoint.open(_state(both, name))
    assert str(caught.value).isprintable()
