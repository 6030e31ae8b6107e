"""Files that benchmarks/shapes.py makes: well formed, of the stated sizes, and computable."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from benchmarks.shapes import MIXES, SHAPES, Shape, gets_more_bits, tensors, write
from foretell.backends.base import Batch
from foretell.backends.native.backend import NativeBackend
from foretell.formats.gguf import GGUFFile

SMALL = Shape("small", width=256, layers=8, heads=8, kv_heads=2, head=32, inner=512, context=64)
VOCAB = 320


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token {index}" for index in range(VOCAB)])
    writer.add_bos_token_id(1)
    writer.add_chat_template("{{ messages }}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module", params=[*MIXES])
def shape_file(request, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shape") / f"{request.param}.gguf"
    write(SMALL, request.param, path, tokenizer, seed=0)
    return path


def test_weights_keep_the_size_of_what_they_multiply(shape_file: Path):
    for tensor in gguf.GGUFReader(shape_file).tensors:
        weight = gguf.dequantize(tensor.data, tensor.tensor_type)
        if tensor.name.endswith("norm.weight"):
            assert np.all(weight == 1)
        else:
            assert abs(weight.std() * weight.shape[-1] ** 0.5 - 1) < 0.15
            assert abs(weight.mean()) < 0.1 * weight.std()


def test_the_backend_computes_with_it(shape_file: Path):
    with GGUFFile.open(shape_file) as file:
        backend = NativeBackend.load(file, threads=1)
    tokens = np.arange(16, dtype=np.int32)
    starts, table = np.array([0, 16], np.int32), np.zeros((1, 1), np.int32)
    logits = backend.forward(Batch(tokens, tokens, starts, table, logits_indices=tokens))
    assert np.isfinite(logits).all()
    assert 0.3 < logits.std() < 3


def test_the_tokenizer_is_copied(shape_file: Path):
    fields = gguf.GGUFReader(shape_file).fields
    assert fields["tokenizer.ggml.tokens"].contents()[:2] == ["token 0", "token 1"]
    assert fields["tokenizer.ggml.bos_token_id"].contents() == 1
    assert fields["tokenizer.chat_template"].contents() == "{{ messages }}"


def test_a_seed_makes_one_file_and_another_seed_another(tokenizer: Path, tmp_path: Path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write(SMALL, "q4_k_m", tmp_path / name, tokenizer, seed=seed)
    first, same, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == same
    assert first != other
    assert not [*tmp_path.glob("*.unfinished")]


def test_the_mix_is_that_of_llama_quantize():
    assert [layer for layer in range(16) if gets_more_bits(layer, 16)] == [
        0,
        1,
        4,
        7,
        10,
        13,
        14,
        15,
    ]
    found = list(tensors(SHAPES["llama-1b"], "q4_k_m", 49152))
    bits = sum(tensor.num_bytes for tensor in found)
    assert found[0].type == gguf.GGMLQuantizationType.Q6_K
    assert 660e6 < bits < 670e6
