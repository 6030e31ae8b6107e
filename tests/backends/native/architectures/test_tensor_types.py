"""Tiny Llama models whose matrices are of any types, and whose vectors are of any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_bench import ISAS, bits
from support.llama_files import (
    Stored,
    make_model,
    metadata_of,
    read_reference,
    reference_logits,
    tensors_of,
    write,
)
from support.random_tensors import QUANTIZED, random_matrix
from support.reference_model import (
    EXACT,
    assert_like_the_reference,
    prefill_and_decode,
    some_ids,
)

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.types import VECTOR_TYPES, TensorType

READABLE = [kind for kind in QUANTIZED if kind is not TensorType.Q2_0]  # by the gguf package
DTYPES = dict(zip(VECTOR_TYPES, (np.int8, np.int16, np.int32, np.int64, np.float64), strict=True))
NORM = "blk.0.attn_norm.weight"


@pytest.fixture(scope="module")
def model():
    """Wide enough for a block of each type in a row."""
    return make_model(hidden_size=256, intermediate_size=512, num_hidden_layers=1)


def write_in(path, model, kinds, **changed):
    """A file of a model with random matrices of these types in turns."""
    rng = np.random.default_rng(0)
    tensors = tensors_of(model)
    for i, (name, weight) in enumerate(tensors.items()):
        if weight.ndim == 2:
            kind, (rows, cols) = kinds[i % len(kinds)], weight.shape
            size = 0.2 if name == "token_embd.weight" else 1.0 / cols**0.5
            tensors[name] = Stored(kind, random_matrix(kind, rows, cols, size, rng))
    return write(path, tensors | changed, metadata_of(model.config))


@pytest.mark.parametrize("kind", READABLE, ids=lambda kind: kind.name)
def test_every_type(model, load, tmp_path, kind):
    path = write_in(tmp_path / "m.gguf", model, [kind])
    assert_like_the_reference(load(path, **EXACT), read_reference(path, model.config))


@pytest.mark.parametrize("first", range(0, len(READABLE), 6))
def test_a_mix_of_types_is_near_and_the_same_everywhere(model, load, tmp_path, first):
    kinds = READABLE[first:] + READABLE[:first]
    path = write_in(tmp_path / "m.gguf", model, kinds)
    reference = read_reference(path, model.config)
    assert_like_the_reference(load(path, ISAS[0], **EXACT), reference)
    ids = some_ids(model, 30)
    ways = [(isa, *way) for isa in ISAS for way in ((1, len(ids)), (2, 25))]
    results = [
        prefill_and_decode(load(path, isa, threads=threads), ids, prompt)
        for isa, threads, prompt in ways
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(bits(result), bits(results[0]))
    expected = reference_logits(reference, ids)
    error = results[0] - expected
    assert 0 < np.sqrt((error**2).mean()) < 0.05 * expected.std()


@pytest.mark.parametrize("kind", DTYPES, ids=lambda kind: kind.name)
def test_vectors_of_any_numbers(model, load, tmp_path, kind):
    values = np.random.default_rng(1).integers(-3, 4, 256)
    results = []
    for vector in (Stored(kind, values.astype(DTYPES[kind])), values.astype(np.float32)):
        path = write_in(tmp_path / "m.gguf", model, [TensorType.Q8_0], **{NORM: vector})
        results.append(prefill_and_decode(load(path, **EXACT), some_ids(model, 30), 25))
    np.testing.assert_array_equal(bits(results[0]), bits(results[1]))


@pytest.mark.parametrize("value", [1e39, -np.inf, np.nan])
def test_doubles_that_no_float32_holds_are_refused(model, load, tmp_path, value):
    vector = Stored(TensorType.F64, np.full(256, value))
    path = write_in(tmp_path / "m.gguf", model, [TensorType.Q8_0], **{NORM: vector})
    with pytest.raises(ModelFileError, match=f"'{NORM}' holds NaN or infinite weights"):
        load(path)


def test_vectors_of_codes_are_refused(model, load, tmp_path):
    vector = Stored(TensorType.Q8_0, np.zeros(272, np.uint8))
    path = write_in(tmp_path / "m.gguf", model, [TensorType.Q8_0], **{NORM: vector})
    with pytest.raises(ModelFileError, match=f"'{NORM}' is Q8_0: a vector must be floats or int"):
        load(path)


@pytest.mark.parametrize("kind", VECTOR_TYPES, ids=lambda kind: kind.name)
def test_matrices_of_integers_and_doubles_are_refused(model, load, tmp_path, kind):
    name = "blk.0.attn_q.weight"
    matrix = Stored(kind, np.zeros((256, 256), DTYPES[kind]))
    path = write_in(tmp_path / "m.gguf", model, [TensorType.Q8_0], **{name: matrix})
    with pytest.raises(UnsupportedModelError, match=f"'{name}' is {kind.name}: only a vector"):
        load(path)


@pytest.mark.parametrize("kind", READABLE, ids=lambda kind: kind.name)
def test_rows_that_are_no_multiple_of_the_block_are_refused(model, load, tmp_path, kind):
    path = write_in(tmp_path / "m.gguf", model, [kind])
    raw = path.read_bytes()
    at = raw.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4
    wrong = (256 + 8).to_bytes(8, "little")
    path.write_bytes(raw[:at] + wrong + raw[at + 8 :])
    with pytest.raises(ModelFileError, match=f"{kind.name} needs a multiple of {kind.block_size}"):
        load(path)
    path.write_bytes(raw[:-1000])
    with pytest.raises(ModelFileError, match="the file has"):
        load(path)
