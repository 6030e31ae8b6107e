"""The cache that Hugging Face's tools share: read as they read it, verified, listed, cleared."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.loopback_hub import CHECKPOINT, GGUFS, SHARDED, LoopbackHub

from foretell import hub
from foretell.errors import ModelFileError, ModelNotFoundError


def test_verify_finds_a_flipped_bit(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    folder = hub.resolve("org/tiny")
    assert hub.verify("org/tiny") == folder
    (folder / "config.json").resolve().write_bytes(CHECKPOINT["config.json"].swapcase())
    with pytest.raises(ModelFileError, match=r"config\.json is damaged.*models remove org/tiny"):
        hub.verify("org/tiny")


def test_remove_deletes_one_revision_or_all(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.publish("org/tiny", {**CHECKPOINT, "config.json": b"{ }"}, revision="v2")
    hub.resolve("org/tiny")
    second = hub.resolve("org/tiny", revision="v2")
    hub.remove("org/tiny", revision="v2")
    assert not second.exists()
    assert (hub.path("org/tiny") / "model.safetensors").read_bytes() == CHECKPOINT[
        "model.safetensors"
    ]
    folder = hub.remove("org/tiny")
    assert not folder.exists()
    with pytest.raises(ModelNotFoundError, match="nothing to remove"):
        hub.remove("org/tiny")


def test_remove_deletes_one_file_and_its_content(loopback_hub: LoopbackHub) -> None:
    from huggingface_hub import HFCacheInfo

    if not hasattr(HFCacheInfo, "delete_files"):
        pytest.skip("this huggingface_hub deletes whole revisions only")
    loopback_hub.publish("org/quantized", GGUFS)
    blob = hub.resolve("org/quantized:m-Q4_K_M.gguf").resolve()
    other = hub.resolve("org/quantized:m-Q8_0.gguf")
    hub.remove("org/quantized:m-Q4_K_M.gguf")
    assert not blob.exists()
    assert other.read_bytes() == GGUFS["m-Q8_0.gguf"]
    with pytest.raises(ModelNotFoundError, match="nothing to remove"):
        hub.remove("org/quantized:m-Q4_K_M.gguf")


def test_the_cache_is_listed_by_name_without_what_is_not_whole(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.publish("org/quantized", GGUFS)
    folder, file = hub.resolve("org/tiny"), hub.resolve("org/quantized:m-Q8_0.gguf")
    loopback_hub.publish("org/sharded", SHARDED)
    (hub.resolve("org/sharded") / "model-2.safetensors").unlink()
    size = sum(map(len, CHECKPOINT.values()))
    commits = folder.name, file.parent.name
    assert hub.cached_models() == [
        hub.CachedModel("org/quantized:m-Q8_0.gguf", "GGUF", "main", commits[1], 3600, file),
        hub.CachedModel("org/tiny", "GPT2LMHeadModel", "main", commits[0], size, folder),
    ]


def test_the_shared_cache_is_where_huggingface_hub_has_it() -> None:
    program = """
import importlib, os
from huggingface_hub import constants
from foretell.hub.shared_cache import is_offline, shared_cache_dir
NAMES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_HUB_OFFLINE",
         "TRANSFORMERS_OFFLINE")
SETTINGS = [{}, {"HF_HOME": "/a"}, {"HF_HOME": "~/a"}, {"XDG_CACHE_HOME": "/x"},
    {"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/a"}, {"HF_HUB_CACHE": "$HOME/c"},
    {"HF_HUB_CACHE": "/new", "HUGGINGFACE_HUB_CACHE": "/old"}, {"HF_HUB_OFFLINE": "yes"},
    {"TRANSFORMERS_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"},
    {"HF_HUB_OFFLINE": "no"}]
for settings in SETTINGS:
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(settings)
    importlib.reload(constants)
    assert str(shared_cache_dir()) == constants.HF_HUB_CACHE, settings
    assert is_offline() == constants.HF_HUB_OFFLINE, settings
print("agreed")
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert output.stdout == "agreed\n"


def test_a_cached_model_is_found_without_importing_huggingface_hub(
    loopback_hub: LoopbackHub,
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    folder = hub.resolve("org/tiny")
    program = (
        "import sys; from foretell import hub; print(hub.resolve('org/tiny'));"
        "print(len(hub.cached_models()), 'huggingface_hub' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert output.stdout == f"{folder}\n1 False\n"
