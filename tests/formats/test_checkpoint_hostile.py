"""Damaged, incomplete and malicious checkpoint folders: each is one sentence."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from support.checkpoint_folders import save_llama

from foretell.backends.native.backend import NativeBackend
from foretell.errors import (
    ForetellError,
    ModelFileError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.safetensors import ITEM_BITS, SafetensorsFile

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of one file, and one of shards."""
    one, many = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("many")
    return {"one": save_llama(one), "many": save_llama(many, shards="30KB")}


@pytest.fixture
def one(sound: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound["one"], tmp_path / "one"))


@pytest.fixture
def many(sound: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound["many"], tmp_path / "many"))


def refusal(folder: Path, error: type[ForetellError] = ModelFileError, **options: Any) -> str:
    """The one line that opening the folder and loading its weights raises."""
    with pytest.raises(error) as caught, Checkpoint.open(folder) as checkpoint:
        NativeBackend.load(checkpoint, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def change_tensors(folder: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


def write_raw(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    size = len(header) if length is None else length
    path.write_bytes(struct.pack("<Q", size) + header + data)
    return path


def test_missing_shards(many: Path) -> None:
    name = sorted(many.glob("*.safetensors"))[1].name
    (many / name).unlink()
    assert f"{name}, one of the shards" in refusal(many)


@pytest.mark.parametrize(
    "name",
    ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "C:x.safetensors", "m.bin", "", 7, None],
)
def test_an_index_that_leaves_the_folder(many: Path, name: Any) -> None:
    edit(many / INDEX, lambda values: values["weight_map"].update({"model.norm.weight": name}))
    assert "must be the name of a .safetensors file in this folder" in refusal(many)


def test_an_index_that_names_the_wrong_shard(many: Path) -> None:
    names = sorted(path.name for path in many.glob("*.safetensors"))

    def move(values: dict[str, Any]) -> None:
        places = values["weight_map"]
        places["model.norm.weight"] = next(
            name for name in names if name != places["model.norm.weight"]
        )

    edit(many / INDEX, move)
    assert "where it is not" in refusal(many)


@pytest.mark.parametrize("value", [None, {}, [], "x"])
def test_an_index_without_a_map(many: Path, value: Any) -> None:
    edit(many / INDEX, lambda values: values.update(weight_map=value))
    assert "has no weight_map" in refusal(many)


def test_a_tensor_in_two_shards(many: Path) -> None:
    first, second = sorted(many.glob("*.safetensors"))[:2]
    twice = load_file(first) | load_file(second)
    save_file(twice, second)
    assert "must lie in one file" in refusal(many)


def test_shards_without_an_index(many: Path) -> None:
    (many / INDEX).unlink()
    assert f"but no {INDEX}" in refusal(many)


def test_a_missing_tensor(one: Path) -> None:
    change_tensors(one, lambda tensors: tensors.pop("model.norm.weight"))
    assert "tensor 'model.norm.weight' is missing" in refusal(one)


def test_wrong_shapes(one: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    change_tensors(one, lambda tensors: tensors.update({name: tensors[name][:, :-1].copy()}))
    assert f"tensor '{name}' is 96 × 63, where config.json asks for 96 × 64" in refusal(one)


@pytest.mark.parametrize("quantize", [None, "q8", "q4"])
@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.mlp.down_proj.weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(
    one: Path, name: str, value: float, quantize: str | None
) -> None:
    change_tensors(one, lambda tensors: tensors[name].reshape(-1).__setitem__(-1, value))
    message = refusal(one, quantize=quantize)
    assert f"tensor '{name}' holds NaN or infinite weights" in message


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_nans_that_signal_are_refused_in_silence(one: Path, dtype: type[np.floating]) -> None:
    name, bits = "model.norm.weight", {np.float32: 0x7FA0_0000, np.float16: 0x7D00}[dtype]

    def spoil(tensors: dict[str, np.ndarray]) -> None:
        weights = tensors[name].astype(dtype)
        weights.view(f"u{weights.itemsize}")[0] = bits
        tensors[name] = weights

    change_tensors(one, spoil)
    assert f"tensor '{name}' holds NaN or infinite weights" in refusal(one)


def test_weights_too_large_to_be_quantized(one: Path) -> None:
    name = "model.layers.1.mlp.down_proj.weight"
    change_tensors(one, lambda tensors: tensors[name].fill(1e30))
    assert "too large to be quantized" in refusal(one, quantize="q8")


def test_other_dtypes(one: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    change_tensors(one, lambda tensors: tensors.update({name: tensors[name].astype(np.float64)}))
    assert "is F64: must be F32, F16 or BF16" in refusal(one, UnsupportedModelError)


def test_only_a_pickle(one: Path) -> None:
    (one / WEIGHTS).rename(one / "pytorch_model.bin")
    message = refusal(one, UnsupportedModelError)
    assert "only as a pickle (pytorch_model.bin), which can run any code" in message


def test_a_pickle_by_another_name(one: Path) -> None:
    (one / WEIGHTS).write_bytes(b"PK\x03\x04" + b"\0" * 100)
    assert "is a pickle, which foretell never opens" in refusal(one)


def test_no_weights_at_all(one: Path) -> None:
    (one / WEIGHTS).unlink()
    assert "has no weights" in refusal(one)
    (one / "adapter_config.json").write_text("{}")
    assert "an adapter to another model" in refusal(one, UnsupportedModelError)


def test_an_unknown_family(one: Path) -> None:
    edit(one / "config.json", lambda values: values.update(model_type="retnet"))
    assert "model_type 'retnet' is not known natively; known are" in refusal(
        one, UnsupportedModelError
    )


@pytest.mark.parametrize(
    "method", ["bitsandbytes", "hqq", "aqlm", "quanto", "torchao", "", "GPTQ", None, 7, []]
)
def test_checkpoints_quantized_in_other_ways(one: Path, method: Any) -> None:
    change = {"quantization_config": {"quant_method": method, "bits": 4}}
    edit(one / "config.json", lambda values: values.update(change))
    assert f"weights quantized by {method!r}" in refusal(one, UnsupportedModelError)


@pytest.mark.parametrize("config", ["gptq", 4, [], True])
def test_a_quantization_config_that_is_no_object(one: Path, config: Any) -> None:
    edit(one / "config.json", lambda values: values.update(quantization_config=config))
    assert f"weights quantized by {config!r}" in refusal(one, UnsupportedModelError)


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b"{", b"[" * 100_000, b"\xff", b"NaN"])
def test_unreadable_json(one: Path, many: Path, data: bytes) -> None:
    for path in (one / "config.json", one / "generation_config.json", many / INDEX):
        before = path.read_bytes()
        path.write_bytes(data)
        refusal(path.parent)
        path.write_bytes(before)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": -64},
        {"hidden_size": "64"},
        {"num_attention_heads": 0},
        {"num_key_value_heads": 3},
        {"num_hidden_layers": 10**9},
        {"vocab_size": None},
        {"rms_norm_eps": "small"},
        {"rope_parameters": 3},
        {"rope_parameters": {"rope_type": "llama3", "factor": -1}},
    ],
)
def test_impossible_sizes(one: Path, change: dict[str, Any]) -> None:
    edit(one / "config.json", lambda values: values.update(change))
    refusal(one)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_act": "relu"},
        {"head_dim": 8},
        {"rope_parameters": {"rope_type": "spiral", "factor": 2.0}},
        {"rope_parameters": {"partial_rotary_factor": 0.1}},
    ],
)
def test_variants_that_are_not_known(one: Path, change: dict[str, Any]) -> None:
    edit(one / "config.json", lambda values: values.update(change))
    refusal(one, UnsupportedModelError)


def test_biases_that_are_promised(one: Path) -> None:
    edit(one / "config.json", lambda values: values.update(attention_bias=True))
    assert "_proj.bias' is missing" in refusal(one)


def test_no_config(one: Path) -> None:
    (one / "config.json").unlink()
    assert "config.json is missing" in refusal(one, ModelNotFoundError)


def test_links(one: Path, tmp_path: Path) -> None:
    weights = one / WEIGHTS
    blob = tmp_path / "blob"
    weights.rename(blob)
    weights.symlink_to(blob)  # as in the hub's cache
    with Checkpoint.open(one) as checkpoint:
        NativeBackend.load(checkpoint)
    blob.unlink()
    assert "no such file" in refusal(one, ModelNotFoundError)
    weights.unlink()
    weights.symlink_to(WEIGHTS)
    assert "cannot be read" in refusal(one)
    weights.unlink()
    weights.symlink_to(one)
    assert "is a directory" in refusal(one)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_not_waited_for(one: Path) -> None:
    (one / WEIGHTS).unlink()
    os.mkfifo(one / WEIGHTS)
    assert "not a regular file" in refusal(one)


TENSOR = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
HEADERS: dict[str, tuple[Any, str]] = {
    "a hole": ({"a": TENSOR | {"data_offsets": [4, 20]}}, "leaves a hole"),
    "an overlap": ({"a": TENSOR, "b": TENSOR | {"data_offsets": [8, 24]}}, "overlaps"),
    "past the end": ({"a": TENSOR | {"shape": [2, 3], "data_offsets": [0, 24]}}, "ends at byte"),
    "bytes left": ({"a": TENSOR | {"shape": [2], "data_offsets": [0, 8]}}, "its tensors end"),
    "backwards": ({"a": TENSOR | {"data_offsets": [16, 0]}}, "must be begin and end"),
    "negative": ({"a": TENSOR | {"data_offsets": [-16, 0]}}, "must be begin and end"),
    "three offsets": ({"a": TENSOR | {"data_offsets": [0, 8, 16]}}, "must be begin and end"),
    "a wrong size": ({"a": TENSOR | {"shape": [3, 2]}}, "does not take 16 bytes"),
    "an absurd shape": ({"a": TENSOR | {"shape": [2**60, 2**60]}}, "must be at most 8 sizes"),
    "many dimensions": ({"a": TENSOR | {"shape": [1] * 100}}, "must be at most 8 sizes"),
    "a shape of floats": ({"a": TENSOR | {"shape": [2.0, 2]}}, "must be at most 8 sizes"),
    "a shape of truth": ({"a": TENSOR | {"shape": [True, 4]}}, "must be at most 8 sizes"),
    "no dtype": ({"a": {"shape": [4], "data_offsets": [0, 16]}}, "must have a dtype"),
    "a dtype of a number": ({"a": TENSOR | {"dtype": 3}}, "must be a string"),
    "a list": ({"a": [1]}, "must have a dtype"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_damaged_headers(tmp_path: Path, name: str) -> None:
    header, message = HEADERS[name]
    path = write_raw(tmp_path / "x.safetensors", json.dumps(header).encode(), b"\0" * 16)
    with pytest.raises(ModelFileError, match=message):
        SafetensorsFile.open(path)
    with pytest.raises(SafetensorError):
        safe_open(path, "np")


@pytest.mark.parametrize(
    ("header", "length", "message"),
    [
        (b'{"a":1}', 2**63, "its header claims 9223372036854775808 bytes"),
        (b'{"a":1}', 2**31, "its header claims"),
        (b'{"a":1}', 8, "its header claims 8 bytes"),
        (b'{"a":', 5, "is not JSON"),
        (b'{"a":"\xff"}', 9, "is not UTF-8"),
        (b'{"a":{},"a":{}}', 15, "the key 'a' appears twice"),
        (b'{"a":' * 5000, None, "is not JSON"),
        (b"<html>", 6, "is of another format"),
        (b"", 0, "is of another format"),
    ],
)
def test_headers_that_are_none(
    tmp_path: Path, header: bytes, length: int | None, message: str
) -> None:
    path = write_raw(tmp_path / "x.safetensors", header, length=length)
    with pytest.raises(ModelFileError, match=message):
        SafetensorsFile.open(path)


def test_truncated_files(one: Path) -> None:
    data = (one / WEIGHTS).read_bytes()
    for size in (0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1):
        (one / WEIGHTS).write_bytes(data[:size])
        refusal(one)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_headers_are_read_as_the_library_reads_them(
    sound: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Where a byte of the header changes: the same tensors as the library finds, or an error.

    A dtype that nobody knows is refused here only where such a tensor is used.
    """
    content = bytearray((sound["one"] / WEIGHTS).read_bytes())
    end = 8 + struct.unpack_from("<Q", content)[0]
    content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("mutated") / WEIGHTS
    path.write_bytes(content)
    try:
        ours = SafetensorsFile.open(path)
    except ModelFileError:
        return
    if not {info.dtype for info in ours.tensors.values()} <= ITEM_BITS.keys():
        with pytest.raises(SafetensorError, match="unknown variant"):
            safe_open(path, "np")
        return
    with safe_open(path, "np") as theirs:
        assert set(ours.tensors) == set(theirs.keys())
        for name, info in ours.tensors.items():
            assert list(info.shape) == theirs.get_slice(name).get_shape()
    ours.close()
