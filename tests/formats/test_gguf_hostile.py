"""Damaged and malicious GGUF files: a ForetellError that says why, in little time and memory."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest

from foretell.errors import ForetellError, ModelFileError, UnsupportedModelError
from foretell.formats import header
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile

U8, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10
ABSURD = [0, 1, 2**16 + 1, 2**31, 2**32 - 1, 2**61, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1]


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return u64(len(raw)) + raw


def pair(key: str | bytes, value_type: int, value: bytes) -> bytes:
    return text(key) + u32(value_type) + value


def tensor(
    name: str = "t", dims: Iterable[int] = (32, 2), ggml_id: int = 2, offset: int = 0
) -> bytes:
    dims = tuple(dims)
    return text(name) + u32(len(dims)) + b"".join(map(u64, dims)) + u32(ggml_id) + u64(offset)


def file_bytes(
    pairs: Iterable[bytes] = (), tensors: Iterable[bytes] = (), data: int = 64, version: int = 3
) -> bytes:
    """A GGUF file as given, right or wrong, with `data` zero bytes of tensor data."""
    pairs, tensors = list(pairs), list(tensors)
    start = b"GGUF" + u32(version) + u64(len(tensors)) + u64(len(pairs))
    raw = start + b"".join(pairs) + b"".join(tensors)
    return raw + bytes(-len(raw) % 32 + data)


def array(value_type: int, count: int, items: bytes = b"") -> bytes:
    return u32(value_type) + u64(count) + items


def nested(depth: int) -> bytes:
    inner = array(U8, 1, b"\x01")
    for _ in range(depth - 1):
        inner = array(ARRAY, 1, inner)
    return inner


DAMAGED: dict[str, tuple[bytes, str]] = {
    "a part by its contents alone": (
        file_bytes([pair("split.count", 2, b"\x03\x00"), pair("split.no", 2, b"\x01\x00")]),
        "is no part of the model: it is one of 3 parts: its name must end in '-00002-of-00003",
    ),
    "a part of unknown number": (
        file_bytes([pair("split.count", 2, b"\x03\x00")]),
        "split.no is None: must be 0 to 2",
    ),
    "a part of more than can be": (
        file_bytes([pair("split.count", 2, b"\xff\xff")]),
        "split.count is 65535: must be at most 1024",
    ),
    "a count of parts as text": (
        file_bytes([pair("split.count", STRING, text("x" * 900))]),
        "split.count is 'x{60}'… *: must be at most 1024",
    ),
    "string length of 2^63": (
        file_bytes([pair("k", STRING, u64(2**63))]),
        "metadata 'k': 9223372036854775808 bytes at byte 45 run past the end of the file",
    ),
    "key length of 2^63": (
        file_bytes([u64(2**63) + b"k" + u32(U8) + b"\x00"]),
        "key of metadata pair 0: 9223372036854775808 bytes",
    ),
    "string in an array past the end": (
        file_bytes([pair("k", ARRAY, array(STRING, 2, text("a") + u64(10**9)))]),
        r"metadata 'k'\[1\]: 1000000000 bytes run past the end",
    ),
    "array longer than the file": (
        file_bytes([pair("k", ARRAY, array(F32, 1000))]),
        "metadata 'k': 4000 bytes at byte .* run past the end",
    ),
    "array of 2^64 - 1": (
        file_bytes([pair("k", ARRAY, array(U8, 2**64 - 1))]),
        "metadata 'k': 18446744073709551615 elements: must be at most 4194304",
    ),
    "arrays nested too deep": (
        file_bytes([pair("k", ARRAY, nested(header.MAX_NESTING + 1))]),
        "arrays nested more than 4 deep",
    ),
    "unknown value type": (file_bytes([pair("k", 13, bytes(8))]), "'k': unknown value type 13"),
    "unknown value type in an array": (
        file_bytes([pair("k", ARRAY, array(99, 0))]),
        "'k': unknown value type 99",
    ),
    "boolean of 2": (file_bytes([pair("k", BOOL, b"\x02")]), "2 is no boolean: must be 0 or 1"),
    "boolean of 3 in an array": (
        file_bytes([pair("k", ARRAY, array(BOOL, 2, b"\x01\x03"))]),
        "3 is no boolean",
    ),
    "key twice": (file_bytes([pair("k", U8, b"\x00")] * 2), "metadata 'k': the key appears twice"),
    "key that is not UTF-8": (
        file_bytes([pair(b"\xff", U8, b"\x00")]),
        "key of metadata pair 0: not UTF-8 at byte 32",
    ),
    "string that is not UTF-8": (
        file_bytes([pair("k", STRING, text(b"a\xff"))]),
        "metadata 'k': not UTF-8 at byte 46",
    ),
    "empty key": (file_bytes([pair("", U8, b"\x00")]), "name of 0 bytes: must have 1 to 65535"),
    "key too long": (file_bytes([pair("k" * 65_536, U8, b"\x00")]), "name of 65536 bytes"),
    "too many pairs": (
        b"GGUF" + u32(3) + u64(0) + u64(2**40),
        "number of metadata pairs: 1099511627776: must be at most 65536",
    ),
    "too many tensors": (b"GGUF" + u32(3) + u64(2**64 - 1) + u64(0), "number of tensors: 1844674"),
    "alignment of 0": (
        file_bytes([pair("general.alignment", U32, u32(0))]),
        "'general.alignment': 0 must be a power of two",
    ),
    "alignment of 24": (
        file_bytes([pair("general.alignment", U32, u32(24))]),
        "'general.alignment': 24 must be a power of two",
    ),
    "alignment as text": (
        file_bytes([pair("general.alignment", STRING, text("x" * 900))]),
        "'general.alignment': 'x{60}'… must be a power of two",
    ),
    "alignment of 2^63": (
        file_bytes([pair("general.alignment", U64, u64(2**63))], [tensor()]),
        "tensor 't': shape .* ends at byte 9223372036854775844, the file has",
    ),
    "tensor twice": (
        file_bytes(tensors=[tensor(), tensor(offset=64)], data=128),
        "tensor 't': the name appears twice",
    ),
    "tensor without a name": (file_bytes(tensors=[tensor(name="")]), "name of tensor 0: name of 0"),
    "no dimensions": (file_bytes(tensors=[tensor(dims=())]), "0 dimensions: must be 1 to 4"),
    "five dimensions": (file_bytes(tensors=[tensor(dims=[32] * 5)]), "5 dimensions: must be 1"),
    "zero dimension": (file_bytes(tensors=[tensor(dims=(32, 0))]), r"shape \(0, 32\) has a zero"),
    "zero row": (file_bytes(tensors=[tensor(dims=(0, 2))]), r"shape \(2, 0\) has a zero"),
    "element count that overflows": (
        file_bytes(tensors=[tensor(dims=[2**62] * 4)]),
        "tensor 't': shape .* in Q4_0 ends at byte .*, the file has",
    ),
    "overflow to a small number": (
        file_bytes(tensors=[tensor(dims=(2**32, 2**32, 2**32), ggml_id=0)]),
        "tensor 't': shape .* in F32 ends at byte",
    ),
    "ragged blocks": (
        file_bytes(tensors=[tensor(dims=(48, 2))]),
        "tensor 't': rows of 48: Q4_0 needs a multiple of 32",
    ),
    "offset past the end": (
        file_bytes(tensors=[tensor(offset=2**63)]),
        "tensor 't': shape .* ends at byte",
    ),
    "a hole": (
        file_bytes(tensors=[tensor(), tensor("u", offset=96)], data=160),
        "tensor 'u': leaves a hole of 60 bytes behind 't'",
    ),
    "a hole in front": (
        file_bytes(tensors=[tensor(offset=32)], data=128),
        "tensor 't': leaves a hole of 32 bytes behind nothing",
    ),
    "misaligned offset": (
        file_bytes(tensors=[tensor(offset=4)]),
        "tensor 't': offset 4 must be a multiple of 32",
    ),
    "overlap": (
        file_bytes(tensors=[tensor(), tensor("u", offset=32)], data=128),
        "tensor 'u': overlaps tensor 't'",
    ),
    "the same bytes twice": (
        file_bytes(tensors=[tensor(), tensor("u")], data=128),
        "tensor 'u': overlaps tensor 't'",
    ),
    "empty": (b"", "is empty, not a GGUF file"),
    "safetensors": (
        u64(16) + b'{"a":{"dtype":1}' + bytes(99),
        "is a safetensors file: must be a GGUF file",
    ),
    "HTML": (b"\n <!DOCTYPE html><title>404</title>", "is an HTML or XML page"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "PyTorch": (b"PK\x03\x04" + bytes(64), "is a zip archive"),
    "one byte": (b"G", r"unknown format \(it begins with b'G'\)"),
    "zeros": (bytes(1000), "unknown format"),
}

UNSUPPORTED: dict[str, tuple[bytes, str]] = {
    **{
        name: (
            file_bytes(tensors=[tensor("blk.0.attn_q.weight", (256, 2), ggml_id)]),
            f"tensor 'blk.0.attn_q.weight' is {name}, which ggml {reason}",
        )
        for name, ggml_id, reason in (
            ("Q4_2", 4, "itself reads no longer"),
            ("Q4_0_4_4", 31, "itself reads no longer"),
            ("IQ4_NL_8_8", 38, "itself reads no longer"),
            ("Q8_1", 9, "has for intermediate results, not for weights"),
            ("Q8_K", 15, "has for intermediate results, not for weights"),
        )
    },
    "a type of the future": (
        file_bytes(tensors=[tensor(ggml_id=2**32 - 1)]),
        "tensor 't' is type 4294967295, which foretell does not know",
    ),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is big-endian: must be little-endian"),
    "version 1": (file_bytes(version=1), "has GGUF version 1: must be 2 or 3"),
    "version 4": (file_bytes(version=4), "has GGUF version 4: must be 2 or 3"),
}


def check_message(path: Path, error: ForetellError) -> None:
    """One line that names the file, printable as it is."""
    assert str(error).startswith(str(path))
    assert "\n" not in str(error)
    assert len(str(error)) < len(str(path)) + 300
    str(error).encode()


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged(name: str, tmp_path: Path) -> None:
    raw, reason = DAMAGED[name]
    path = tmp_path / "m.gguf"
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match=reason) as caught:
        GGUFFile.open(path)
    check_message(path, caught.value)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(name: str, tmp_path: Path) -> None:
    raw, reason = UNSUPPORTED[name]
    path = tmp_path / "m.gguf"
    path.write_bytes(raw)
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        GGUFFile.open(path)
    check_message(path, caught.value)


def test_the_hand_made_file_is_otherwise_sound(tmp_path: Path) -> None:
    """The cases above fail for their own reason: the same file without the fault opens."""
    path = tmp_path / "m.gguf"
    pairs = [pair("k", STRING, text("v")), pair("split.count", 2, b"\x01\x00")]
    pairs.append(pair("deep", ARRAY, nested(header.MAX_NESTING)))
    path.write_bytes(file_bytes(pairs, [tensor(), tensor("u", offset=64)], data=128))
    with GGUFFile.open(path) as file:
        assert file.metadata == {"k": "v", "split.count": 1, "deep": [[[[1]]]]}
        assert [info.nbytes for info in file.tensors.values()] == [36, 36]
    assert [tensor.name for tensor in gguf.GGUFReader(path).tensors] == ["t", "u"]


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is a directory: give the path of a"):
        GGUFFile.open(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="is not a regular file"):
        GGUFFile.open(tmp_path / "pipe")


def test_a_path_with_a_nul() -> None:
    with pytest.raises(ForetellError, match="cannot be opened"):
        GGUFFile.open("a\0b")


def test_a_header_longer_than_foretell_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "MAX_HEADER_BYTES", 1000)
    path = tmp_path / "m.gguf"
    path.write_bytes(file_bytes([pair("k", STRING, text("x" * 2000))]))
    with pytest.raises(ModelFileError, match=r"longest header that foretell reads \(1000 bytes\)"):
        GGUFFile.open(path)
    path.write_bytes(file_bytes([pair("k", ARRAY, array(STRING, 2, text("x" * 2000) * 2))]))
    with pytest.raises(ModelFileError, match=r"'k'\[0\]: 2000 bytes run past the end"):
        GGUFFile.open(path)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small sound file with strings, arrays, nested arrays and two tensors."""
    path = tmp_path_factory.mktemp("small") / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokens", ["a", "bc", "", "안녕"])
    writer.add_array("scores", [0.5, -1.0])
    writer.add_array("nested", [[1, 2], [3]])
    writer.add_bool("flag", True)
    writer.add_string("template", "{{ messages }}")
    writer.add_tensor("norm", np.ones(8, dtype=np.float32))
    rows = np.zeros((3, 36), dtype=np.uint8)
    writer.add_tensor("q", rows, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def test_cut_short_at_every_byte(small_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(small_file)
    with GGUFFile.open(path) as file:
        end = max(info.offset + info.nbytes for info in file.tensors.values())
    for length in range(end):
        path.write_bytes(small_file[:length])
        with pytest.raises(ModelFileError) as caught:
            GGUFFile.open(path)
        check_message(path, caught.value)


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Flip bits, plant absurd numbers, cut, repeat or move pieces: one to four times."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + 8] = u64(rng.choice(ABSURD))
        elif kind == 2:
            data[at : at + 4] = u32(rng.choice(ABSURD) % 2**32)
        elif kind == 3:
            del data[at : at + rng.randint(1, 40)]
        else:
            piece = data[at : at + rng.randint(1, 40)]
            other = rng.randrange(len(data))
            data[other:other] = piece
        if not data:
            break
    return bytes(data)


def open_safely(path: Path) -> None:
    """Open and read every tensor; anything but a ForetellError fails the test."""
    try:
        with GGUFFile.open(path) as file:
            for name, info in file.tensors.items():
                assert file.data(name).nbytes == info.nbytes
    except ForetellError as error:
        check_message(path, error)


def test_mutations_of_a_small_file(small_file: bytes, tmp_path: Path) -> None:
    rng = random.Random(1)
    path = tmp_path / "mutant.gguf"
    for _ in range(3000):
        path.write_bytes(mutate(small_file, rng))
        open_safely(path)


def test_absurd_numbers_at_every_byte(small_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mutant.gguf"
    header_end = small_file.index(b"norm") + 200
    for at in range(min(header_end, len(small_file) - 8)):
        for value in (2**63, 2**64 - 1):
            path.write_bytes(small_file[:at] + u64(value) + small_file[at + 8 :])
            open_safely(path)


def interesting_places(raw: bytes) -> list[int]:
    """Where keys, lengths and tensor descriptions of a real header begin."""
    places = list(range(24, 400))
    for word in (b"tokenizer.ggml.", b"llama.", b"general.", b"blk."):
        at = raw.find(word)
        while at >= 0:
            places.extend(range(max(0, at - 8), at + 64))
            at = raw.find(word, at + 1)
    return places


def test_mutations_of_a_real_header(default_model_path: Path, tmp_path: Path) -> None:
    with GGUFFile.open(default_model_path) as file:
        start = min(info.offset for info in file.tensors.values())
    size = default_model_path.stat().st_size
    with default_model_path.open("rb") as file:
        raw = bytearray(file.read(start))
    path = tmp_path / "mutant.gguf"
    path.write_bytes(raw)
    os.truncate(path, size)  # sparse: the tensor data is all zeros
    rng = random.Random(2)
    places = interesting_places(bytes(raw))
    with path.open("r+b") as mutant:
        for _ in range(120):
            at = rng.choice(places)
            planted = rng.choice([u64(rng.choice(ABSURD)), rng.randbytes(1), rng.randbytes(4)])
            mutant.seek(at)
            mutant.write(planted)
            mutant.flush()
            open_safely(path)
            mutant.seek(at)
            mutant.write(raw[at : at + len(planted)])
            mutant.flush()
    with GGUFFile.open(path) as file:
        assert len(file.tensors) == 272


def peak_memory(path: Path) -> int:
    """Bytes allocated at most while the file is opened."""
    tracemalloc.start()
    with suppress(ForetellError):
        GGUFFile.open(path).close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_absurd_numbers_allocate_nothing(small_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mutant.gguf"
    rng = random.Random(3)
    for _ in range(300):
        at = rng.randrange(8, len(small_file) - 8)
        path.write_bytes(small_file[:at] + u64(rng.choice(ABSURD)) + small_file[at + 8 :])
        assert peak_memory(path) < 2**17


def test_zeros_of_a_huge_file_back_no_huge_list(tmp_path: Path) -> None:
    path = tmp_path / "zeros.gguf"
    path.write_bytes(
        b"GGUF" + u32(3) + u64(0) + u64(1) + pair("k", ARRAY, array(STRING, 2**22 + 1))
    )
    os.truncate(path, 2**34)
    assert peak_memory(path) < 2**20


STEERING = "a\nb\x1b[31m\u202ec"
SPLIT = [pair("split.count", U8, b"\x02"), pair("split.no", U8, b"\0")]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"what is this?",
        b"GGUF" + bytes(3),
        file_bytes(version=9),
        file_bytes(version=3 << 24),
        file_bytes([pair("k", 99, b"")]),
        file_bytes([], [tensor(ggml_id=99)]),
        file_bytes(SPLIT),
    ],
    ids=[
        *("missing", "empty", "other", "cut", "version", "big-endian"),
        *("metadata", "tensor", "part missing"),
    ],
)
def test_what_would_steer_a_terminal_is_escaped_in_names(raw: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / f"{STEERING}-00001-of-00002.gguf"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(ForetellError) as caught:
        GGUFFile.open(path)
    assert r"a\nb\x1b[31m\u202ec-0000" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (None, ""),
        ("config.json", "["),
        ("config.json", "{}"),
        ("model.safetensors", "no"),
        ("model.safetensors.index.json", "{}"),
    ],
)
def test_what_would_steer_a_terminal_is_escaped_in_folders(
    name: str | None, text: str, tmp_path: Path
) -> None:
    folder = tmp_path / STEERING
    if name is not None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / name).write_text(text)
    with pytest.raises(ForetellError) as caught:
        Checkpoint.open(folder)
    assert r"a\nb\x1b[31m\u202ec" in str(caught.value)
    assert str(caught.value).isprintable()
