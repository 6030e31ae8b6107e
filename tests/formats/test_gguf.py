"""The GGUF reader against the `gguf` package: files written at test time, and a real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from foretell.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.formats.types import REFUSED, TensorType

SCALARS: dict[str, tuple[gguf.GGUFValueType, Any]] = {
    "u8": (gguf.GGUFValueType.UINT8, 255),
    "i8": (gguf.GGUFValueType.INT8, -128),
    "u16": (gguf.GGUFValueType.UINT16, 65_535),
    "i16": (gguf.GGUFValueType.INT16, -32_768),
    "u32": (gguf.GGUFValueType.UINT32, 2**32 - 1),
    "i32": (gguf.GGUFValueType.INT32, -(2**31)),
    "u64": (gguf.GGUFValueType.UINT64, 2**64 - 1),
    "i64": (gguf.GGUFValueType.INT64, -(2**63)),
    "f32": (gguf.GGUFValueType.FLOAT32, 0.15625),
    "f64": (gguf.GGUFValueType.FLOAT64, 0.1),
    "yes": (gguf.GGUFValueType.BOOL, True),
    "no": (gguf.GGUFValueType.BOOL, False),
    "text": (gguf.GGUFValueType.STRING, "안녕 \U0001f44b"),
    "blank": (gguf.GGUFValueType.STRING, ""),
}


def write(path: Path, fill: Any, **options: Any) -> Path:
    """Write a GGUF file with the `gguf` package; `fill(writer)` adds what it shall hold."""
    writer = gguf.GGUFWriter(path, "llama", **options)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_tensor(kind: TensorType, rows: int, seed: int) -> np.ndarray:
    """Bytes for `rows` rows of two blocks each."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, 2 * kind.block_bytes), dtype=np.uint8)


def assert_agrees(path: Path) -> None:
    """Compare metadata, descriptions and bytes of the file with the `gguf` package's reading."""
    oracle = gguf.GGUFReader(path)
    with GGUFFile.open(path) as file:
        assert list(file.metadata) == [key for key in oracle.fields if not key.startswith("GGUF.")]
        for key, value in file.metadata.items():
            assert value == oracle.fields[key].contents(), key
        assert list(file.tensors) == [tensor.name for tensor in oracle.tensors]
        for tensor in oracle.tensors:
            info = file.tensors[tensor.name]
            assert info.type.name == tensor.tensor_type.name
            assert info.shape == tuple(reversed(tensor.shape.tolist()))
            assert (info.offset, info.nbytes) == (tensor.data_offset, tensor.n_bytes)
            data = file.data(info.name)
            np.testing.assert_array_equal(data, tensor.data.reshape(-1).view(np.uint8))
            del data


THEIRS = gguf.GGMLQuantizationType.__members__
"""The package's types by name; it has no Q2_0 yet."""


def test_tensor_types_are_those_of_the_gguf_package() -> None:
    assert {kind.name for kind in TensorType} - set(THEIRS) == {"Q2_0"}
    for kind in TensorType:
        assert TensorType.from_ggml_id(kind.ggml_id) is kind
        if kind.name in THEIRS:
            theirs = THEIRS[kind.name]
            assert kind.ggml_id == theirs.value
            assert (kind.block_size, kind.block_bytes) == gguf.GGML_QUANT_SIZES[theirs]


def test_all_of_them_are_read_but_two() -> None:
    left = {kind for kind in THEIRS.values() if TensorType.from_ggml_id(kind.value) is None}
    assert {kind.name for kind in left} == {"Q8_1", "Q8_K"}
    assert {REFUSED[kind.value][0] for kind in left} == {"Q8_1", "Q8_K"}


def test_every_scalar_type(tmp_path: Path) -> None:
    def fill(writer: gguf.GGUFWriter) -> None:
        for key, (kind, value) in SCALARS.items():
            writer.add_key_value(key, value, kind)

    path = write(tmp_path / "scalars.gguf", fill)
    assert_agrees(path)
    with GGUFFile.open(path) as file:
        assert file.version == 3
        assert file.path == path
        for key, (_, value) in SCALARS.items():
            assert file.metadata[key] == value
            assert type(file.metadata[key]) is type(value)


def test_arrays_of_every_scalar_type(tmp_path: Path) -> None:
    def fill(writer: gguf.GGUFWriter) -> None:
        for key, (kind, value) in SCALARS.items():
            writer.add_key_value(key, [value] * 3, gguf.GGUFValueType.ARRAY, sub_type=kind)

    path = write(tmp_path / "arrays.gguf", fill)
    with GGUFFile.open(path) as file:
        for key, (_, value) in SCALARS.items():
            assert file.metadata[key] == [value] * 3
            assert {type(item) for item in file.metadata[key]} == {type(value)}
    assert_agrees(path)


def test_nested_arrays(tmp_path: Path) -> None:
    nested = [[[1, 2], [3]], [[4, 5, 6]]]
    path = write(tmp_path / "nested.gguf", lambda writer: writer.add_array("nested", nested))
    with GGUFFile.open(path) as file:
        assert file.metadata["nested"] == nested


def test_token_pieces_keep_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    pieces = [b"\xff\xfe", b"ok", "é".encode()]

    def fill(writer: gguf.GGUFWriter) -> None:
        kind = gguf.GGUFValueType.STRING
        writer.add_key_value("pieces", pieces, gguf.GGUFValueType.ARRAY, sub_type=kind)

    with GGUFFile.open(write(tmp_path / "pieces.gguf", fill)) as file:
        texts = file.metadata["pieces"]
        assert texts[1:] == ["ok", "é"]
        assert [text.encode("utf-8", "surrogateescape") for text in texts] == pieces


@pytest.mark.parametrize("alignment", [None, 8, 4096])
def test_every_tensor_type(tmp_path: Path, alignment: int | None) -> None:
    def fill(writer: gguf.GGUFWriter) -> None:
        if alignment is not None:
            writer.add_custom_alignment(alignment)
        for seed, (name, theirs) in enumerate(THEIRS.items()):
            kind = TensorType.from_ggml_id(theirs.value)
            if kind is not None:
                data = random_tensor(kind, rows=1 + seed % 3, seed=seed)
                writer.add_tensor(f"tensor.{name}", data, raw_dtype=theirs)

    assert_agrees(write(tmp_path / "tensors.gguf", fill))


def test_tensors_of_one_to_four_dimensions(tmp_path: Path) -> None:
    shapes = [(6,), (2, 3), (2, 3, 4), (5, 1, 2, 3)]

    def fill(writer: gguf.GGUFWriter) -> None:
        for shape in shapes:
            values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
            writer.add_tensor(str(len(shape)), values)

    path = write(tmp_path / "shapes.gguf", fill)
    assert_agrees(path)
    with GGUFFile.open(path) as file:
        assert [info.shape for info in file.tensors.values()] == shapes


def test_version_2(tmp_path: Path) -> None:
    path = write(tmp_path / "v2.gguf", lambda writer: writer.add_tensor("t", np.ones(4, "f4")))
    raw = bytearray(path.read_bytes())
    raw[4] = 2
    path.write_bytes(raw)
    assert_agrees(path)
    with GGUFFile.open(str(path)) as file:
        assert file.version == 2


def test_metadata_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "vocab.gguf", lambda writer: writer.add_array("tokens", ["a", "b"]))
    with GGUFFile.open(path) as file:
        assert file.tensors == {}
        assert file.metadata == {"general.architecture": "llama", "tokens": ["a", "b"]}


def test_data_is_a_read_only_view_that_outlives_the_file(tmp_path: Path) -> None:
    values = np.arange(8, dtype=np.float32)
    path = write(tmp_path / "view.gguf", lambda writer: writer.add_tensor("t", values))
    file = GGUFFile.open(path)
    data = file.data("t")
    assert not data.flags.writeable
    assert not data.flags.owndata
    assert data.dtype == np.uint8
    file.close()
    file.close()
    np.testing.assert_array_equal(data.view(np.float32), values)
    with pytest.raises(ValueError, match="closed"):
        file.data("t")


def test_an_unknown_tensor_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "one.gguf", lambda writer: writer.add_tensor("t", np.ones(4, "f4")))
    with (
        GGUFFile.open(path) as file,
        pytest.raises(ModelFileError, match=r"one\.gguf: no tensor 'x' among its 1"),
    ):
        file.data("x")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"gone\.gguf: no such file"):
        GGUFFile.open(tmp_path / "gone.gguf")


def test_the_default_model(default_model_path: Path) -> None:
    assert_agrees(default_model_path)


@pytest.mark.parametrize("has_tensors", [False, True])
@pytest.mark.parametrize("version", [2, 3])
def test_a_big_endian_file_is_refused_by_name(
    tmp_path: Path, version: int, has_tensors: bool
) -> None:
    def fill(writer: gguf.GGUFWriter) -> None:
        writer.add_string("general.name", "big")
        if has_tensors:
            writer.add_tensor("t", np.ones((2, 32), np.float32))

    path = write(tmp_path / "big.gguf", fill, endianess=gguf.GGUFEndian.BIG)
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + version.to_bytes(4, "big") + raw[8:])
    with pytest.raises(UnsupportedModelError, match=r"big.gguf is big-endian: must be little-end"):
        GGUFFile.open(path)
