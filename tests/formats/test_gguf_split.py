"""Split GGUF models, cut by the `gguf` package; parts that are missing, swapped or of others."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
from support.split_files import split

from foretell.backends.native.architectures import read_model
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.errors import ForetellError, ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.formats.split_names import part_names, whole_name

NUM_TENSORS = 7


def write_whole(path: Path, num_tensors: int = NUM_TENSORS) -> Path:
    """A file of a few tensors of several types, and some metadata."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.name", "one")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "안"])
    rng = np.random.default_rng(0)
    for index in range(num_tensors):
        kind = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q8_0)[index % 2]
        weight = rng.standard_normal((index + 1, 64), np.float32)
        writer.add_tensor(f"t{index}", gguf.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_whole(tmp_path / "whole.gguf")


@pytest.fixture
def parts(whole: Path, tmp_path: Path) -> list[Path]:
    return split(whole, tmp_path / "cut", split_max_tensors=3)


@pytest.mark.parametrize("small_first_shard", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_any_part_gives_the_whole_model(
    whole: Path, tmp_path: Path, size: int, small_first_shard: bool
) -> None:
    parts = split(
        whole, tmp_path / "cut", split_max_tensors=size, small_first_shard=small_first_shard
    )
    assert len(parts) == -(-NUM_TENSORS // size) + small_first_shard
    for named in parts:
        with GGUFFile.open(named) as file, GGUFFile.open(whole) as expected:
            assert file.path == parts[0]
            assert list(file.tensors) == list(expected.tensors)
            own = {k: v for k, v in file.metadata.items() if not k.startswith("split.")}
            assert own == expected.metadata
            for name in file.tensors:
                np.testing.assert_array_equal(file.data(name), expected.data(name))
                file.forget_pages(name)
                np.testing.assert_array_equal(file.data(name), expected.data(name))


def test_each_tensor_lies_where_the_gguf_package_finds_it(parts: list[Path]) -> None:
    with GGUFFile.open(parts[1]) as file:
        for part in parts:
            for tensor in gguf.GGUFReader(part).tensors:
                assert file.path_of(tensor.name) == part
                assert file.tensors[tensor.name].offset == tensor.data_offset


def test_closing_closes_all_parts(parts: list[Path]) -> None:
    file = GGUFFile.open(parts[0])
    views = [file.data(name) for name in ("t0", "t6")]
    file.close()
    for name in file.tensors:
        with pytest.raises(ValueError, match="is closed"):
            file.data(name)
    assert all(view.any() for view in views)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_named(parts: list[Path], missing: int) -> None:
    named = parts[(missing + 1) % 3]
    parts[missing].unlink()
    with pytest.raises(ModelFileError, match=f"{parts[missing]}, one of the parts of {named.name}"):
        GGUFFile.open(named)


def test_a_part_under_another_name(parts: list[Path], tmp_path: Path) -> None:
    alone = shutil.copy(parts[1], tmp_path / "model.gguf")
    with pytest.raises(ModelFileError, match="one of 3 parts: its name must end in '-00002-of-0"):
        GGUFFile.open(alone)


def test_parts_that_were_swapped_or_copied(parts: list[Path]) -> None:
    shutil.copy(parts[1], parts[2])
    with pytest.raises(ModelFileError, match=r"00003-of-00003.gguf .*is part 2 of 3, .* says 3"):
        GGUFFile.open(parts[0])
    shutil.copy(parts[2], parts[0])
    with pytest.raises(ModelFileError, match=r"00001-of-00003.gguf .*is part 2 of 3, .* says 1"):
        GGUFFile.open(parts[1])


def test_a_part_of_a_model_cut_otherwise(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    shutil.copy(split(whole, tmp_path / "finer", split_max_tensors=2)[1], parts[1])
    with pytest.raises(ModelFileError, match=r"00002-of-00003.gguf .*split.count is 4, .* says 3"):
        GGUFFile.open(parts[0])


def test_names_in_upper_case_find_their_parts(parts: list[Path]) -> None:
    upper = [part.rename(part.with_name(part.name.upper())) for part in parts]
    for named in upper:
        with GGUFFile.open(named) as file:
            assert (file.path, len(file.tensors)) == (upper[0], NUM_TENSORS)


def write_count(path: Path, value: int | None) -> None:
    """Let a part say another number of parts; None: no number at all."""
    if value is None:
        path.write_bytes(path.read_bytes().replace(b"split.count", b"other.count"))
        return
    reader = gguf.GGUFReader(path, "r+")
    field = reader.fields["split.count"]
    field.parts[field.data[0]][0] = value
    reader.data.flush()


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, "it has no split.count"), (0, "split.count is 0"), (1, "split.count is 1")],
)
def test_parts_that_do_not_say_how_many_there_are(
    parts: list[Path], count: int | None, said: str
) -> None:
    """They say what they hold; alone they open, and what they lack is told to be of a part."""
    write_count(parts[1], count)
    with pytest.raises(ModelFileError, match=f"00002-of-00003.gguf is no part .*: {said}, where"):
        GGUFFile.open(parts[0])
    with GGUFFile.open(parts[1]) as alone:
        assert alone.doubt == f"; by its name it is one of 3 parts, but {said}"
        with pytest.raises(UnsupportedModelError, match=f"None is not supported; .*{said}$"):
            read_model(alone)
        with pytest.raises(ModelFileError, match=f"'t0' is missing; by its name .*{said}$"):
            GGUFWeights(alone).rows("t0")


def test_a_model_that_is_whole_raises_no_doubt(whole: Path, parts: list[Path]) -> None:
    for path in (whole, parts[1]):
        with GGUFFile.open(path) as file:
            assert file.doubt == ""


def test_a_part_of_a_model_of_another_size(parts: list[Path], tmp_path: Path) -> None:
    larger = write_whole(tmp_path / "larger.gguf", num_tensors=9)
    shutil.copy(split(larger, tmp_path / "other", split_max_tensors=3)[1], parts[1])
    message = "00002-of-.*'split.tensors.count' is 9, in cut-00001-of-00003.gguf it is 7"
    with pytest.raises(ModelFileError, match=message):
        GGUFFile.open(parts[0])


def test_a_part_of_a_model_of_the_same_size(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    """It holds tensors that another part has, or fewer than there must be."""
    other = split(whole, tmp_path / "other", split_max_tensors=4, small_first_shard=True)
    shutil.copy(other[1], parts[1])
    with pytest.raises(ModelFileError, match=r"00002-of-.*tensor 't0' lies in cut-00001-of-00003"):
        GGUFFile.open(parts[0])
    shutil.copy(other[0], parts[0])
    shutil.copy(other[2], parts[2])
    GGUFFile.open(parts[0]).close()
    cut = split(whole, tmp_path / "cut", split_max_tensors=3)
    shutil.copy(other[0], cut[0])
    with pytest.raises(ModelFileError, match=r"split.tensors.count is 7, in all 3 parts .* are 4"):
        GGUFFile.open(cut[2])


def test_a_part_that_says_of_itself_what_another_model_is(parts: list[Path]) -> None:
    raw = parts[1].read_bytes()
    path = parts[1]
    writer = gguf.GGUFWriter(path, "gemma3")
    for key, value in {"split.no": 1, "split.count": 3}.items():
        writer.add_uint16(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    message = "00002-of-.*'general.architecture' is 'gemma3', in cut-00001-of-00003.gguf it is"
    with pytest.raises(ModelFileError, match=message):
        GGUFFile.open(parts[0])
    path.write_bytes(raw)
    GGUFFile.open(parts[0]).close()


def test_damage_in_any_part_is_told_of_that_part(parts: list[Path]) -> None:
    """Bytes changed at random in one part: an error that names it, or a file that opens."""
    rng = random.Random(7)
    told: list[tuple[Path, ForetellError]] = []
    for _ in range(300):
        path = rng.choice(parts)
        raw = bytearray(path.read_bytes())
        sound = bytes(raw)
        for _ in range(rng.choice((1, 3))):
            raw[rng.randrange(min(len(raw), 600))] = rng.randrange(256)
        path.write_bytes(raw if rng.random() < 0.8 else raw[: rng.randrange(len(raw))])
        try:
            GGUFFile.open(parts[1]).close()
        except ForetellError as error:
            told.append((path, error))
        path.write_bytes(sound)
    assert len(told) > 100
    for path, error in told:
        assert len(str(error)) < 700
        assert path.name in str(error)


@pytest.mark.parametrize(
    ("name", "parts", "whole"),
    [
        ("m-00002-of-00002.gguf", ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], "m.gguf"),
        ("a/m-00001-of-00001.gguf", ["a/m-00001-of-00001.gguf"], "a/m-00001-of-00001.gguf"),
        ("M-00002-OF-00002.GGUF", ["M-00001-OF-00002.GGUF", "M-00002-OF-00002.GGUF"], "M.GGUF"),
        ("m-00000-of-00002.gguf", None, None),
        ("m-00003-of-00002.gguf", None, None),
        ("m-00001-of-99999.gguf", None, None),
        ("m-1-of-2.gguf", None, None),
        ("m-00001-of-00002.safetensors", None, None),
        ("-00001-of-00002.gguf", None, None),
    ],
)
def test_names(name: str, parts: list[str] | None, whole: str | None) -> None:
    assert part_names(name) == (parts or [name])
    assert whole_name(name) == (whole or name)
