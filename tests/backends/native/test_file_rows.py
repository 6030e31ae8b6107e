"""Weights that are looked up where they lie in the file: the bits of packed ones, and no copy."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from support.checkpoint_folders import logits_of
from support.kernel_bench import ISAS, Bench, bits
from support.llama_files import make_model, metadata_of, tensors_of, write
from support.random_tensors import MATRICES, dequantize, random_bits

from foretell.backends.native._core import OpKind
from foretell.backends.native.backend import NativeBackend
from foretell.errors import ModelFileError
from foretell.formats.gguf import GGUFFile
from foretell.formats.types import TensorType

IDS = [3, 1, 4, 1, 5, 9]
KINDS = pytest.mark.parametrize("kind", MATRICES, ids=lambda kind: kind.name)
MODEL = make_model(tie_word_embeddings=False, vocab_size=4096)


def write_untied(path: Path, model=MODEL) -> Path:
    return write(path, tensors_of(model), metadata_of(model.config), "Q8_0")


@KINDS
@pytest.mark.parametrize("isa", ISAS)
def test_rows_have_the_bits_of_the_file(isa, kind):
    rng = np.random.default_rng(3)
    for rows, blocks, threads in ((1, 1, 1), (16, 3, 2), (33, 2, 3)):
        cols = blocks * kind.block_size
        data = random_bits(kind, rows, blocks, rng)
        bench = Bench(isa, rows, threads=threads)
        index = bench.program.add_file_rows(kind.ggml_id, data.reshape(-1), rows, cols)
        out = bench.op(OpKind.embed, cols, file_rows=index)
        chosen = rng.integers(0, rows, rows)
        values = bench.finish(out, cols).run(chosen)
        np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)[chosen]))


def test_positions_too():
    rng = np.random.default_rng(4)
    data = random_bits(TensorType.F16, 20, 16, rng)
    bench = Bench(ISAS[0], 20)
    zeros = bench.input(np.zeros((20, 16), np.float32))
    index = bench.program.add_file_rows(TensorType.F16.ggml_id, data.reshape(-1), 20, 16)
    out = bench.op(OpKind.add_positions, 16, a=zeros, file_rows=index)
    values = bench.finish(out, 16).run()
    np.testing.assert_array_equal(values, dequantize(TensorType.F16, data))
    with pytest.raises(ValueError, match="position past the last"):
        bench.forward([(np.zeros(2, np.int32), 19, [0, 0])])


WIDTHS = ((TensorType.Q8_0, 2), (TensorType.F32, 640), (TensorType.Q4_0, 1))


@pytest.mark.parametrize("asked", range(len(WIDTHS)))
def test_matrices_of_different_widths_and_types(asked):
    """Each passes through the same block of memory, which fits the widest."""
    rng = np.random.default_rng(5)
    bench = Bench(ISAS[0], 17)
    outs = []
    for kind, blocks in WIDTHS:
        data = random_bits(kind, 17, blocks, rng)
        cols = blocks * kind.block_size
        index = bench.program.add_file_rows(kind.ggml_id, data.reshape(-1), 17, cols)
        outs.append((bench.op(OpKind.embed, cols, file_rows=index), kind, data, cols))
    out, kind, data, cols = outs[asked]
    values = bench.finish(out, cols).run()
    np.testing.assert_array_equal(bits(values), bits(dequantize(kind, data)))


@pytest.mark.parametrize(
    ("rows", "size", "message"),
    [(0, 0, "impossible"), (2, 8, "do not match its shape"), (1, 9, "do not match its shape")],
)
def test_bytes_that_do_not_fit_are_refused(rows, size, message):
    program = Bench(ISAS[0], 1).program
    with pytest.raises(ValueError, match=message):
        program.add_file_rows(TensorType.F32.ggml_id, np.zeros(size, np.uint8), rows, 2)


@pytest.mark.parametrize(("begin", "end"), [(-1, 2), (2, 1), (0, 4), (2**62, 2**62 + 1)])
def test_rows_that_are_not_there_are_not_checked(begin, end):
    program = Bench(ISAS[0], 1).program
    index = program.add_file_rows(TensorType.F32.ggml_id, np.zeros(24, np.uint8), 3, 2)
    with pytest.raises(ValueError, match="no such rows"):
        program.are_finite(index, begin, end)
    with pytest.raises(IndexError):
        program.are_finite(index + 1, 0, 1)


def test_rows_that_do_not_fit_their_buffer_are_refused():
    bench = Bench(ISAS[0], 1)
    index = bench.program.add_file_rows(TensorType.F32.ggml_id, np.zeros(32, np.uint8), 1, 8)
    out = bench.op(OpKind.embed, 4, file_rows=index)
    with pytest.raises(ValueError, match="do not fit their buffer"):
        bench.finish(out, 4)


@pytest.mark.parametrize("row", [0, 1, 4094, 4095])
def test_weights_that_are_not_finite_are_refused_at_load(tmp_path, load, row):
    path = write_untied(tmp_path / "m.gguf")
    with GGUFFile.open(path) as file:
        info = file.tensors["token_embd.weight"]
    raw = bytearray(path.read_bytes())
    at = info.offset + row * (info.nbytes // 4096)
    raw[at : at + 2] = b"\x00\x7c"
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match=r"m.gguf: tensor 'token_embd.weight' holds NaN or in"):
        load(path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_tied_embedding_is_packed_and_lets_the_file_go(tmp_path):
    path = write_untied(tmp_path / "m.gguf", make_model())
    with GGUFFile.open(path) as file:
        backend = NativeBackend.load(file)
    assert not _is_mapped(path)
    assert logits_of(backend, IDS).shape == (len(IDS), 160)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps files that are mapped")
@pytest.mark.parametrize("how", ["closed", "deleted", "replaced"])
def test_the_map_outlives_the_file(tmp_path, load, how):
    path = write_untied(tmp_path / "m.gguf")
    expected = logits_of(load(path), IDS)
    backend = load(path)
    if how == "deleted":
        path.unlink()
    elif how == "replaced":
        (tmp_path / "other").write_bytes(b"no model")
        os.replace(tmp_path / "other", path)
    gc.collect()
    np.testing.assert_array_equal(logits_of(backend, IDS), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_map_goes_with_the_backend(tmp_path, load):
    path = write_untied(tmp_path / "m.gguf")
    backend = load(path)
    assert _is_mapped(path)
    del backend
    gc.collect()
    assert not _is_mapped(path)


def _is_mapped(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text()
