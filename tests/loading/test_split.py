"""A model in parts gives the same bits as the model in one file, and errors name the part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.llama_files import Stored, make_model, metadata_of, tensors_of, write
from support.logits_after import logits_after
from support.split_files import split
from support.toy import VOCAB_SIZE, toy_metadata

from foretell import LLM
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.types import TensorType

IDS = [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = make_model(vocab_size=VOCAB_SIZE)
    path = tmp_path_factory.mktemp("whole") / "tiny-Q8_0.gguf"
    return write(path, tensors_of(model), metadata_of(model.config) | toy_metadata(), "Q8_0")


def test_logits_have_the_same_bits(whole: Path, tmp_path: Path) -> None:
    parts = split(whole, tmp_path / "tiny-Q8_0", split_max_tensors=6)
    with LLM(whole) as llm:
        expected = logits_after(llm, IDS)
    for part in parts:
        with LLM(part) as llm:
            assert llm.info.description.startswith("tiny in Q8_0, ")
            np.testing.assert_array_equal(logits_after(llm, IDS), expected)


def test_weights_that_are_wrong_name_their_part(whole: Path, tmp_path: Path) -> None:
    parts = split(whole, tmp_path / "tiny", split_max_tensors=6)
    raw = parts[-1].read_bytes()
    parts[-1].write_bytes(raw[: len(raw) - 128] + b"\xff" * 128)
    with pytest.raises(ModelFileError, match=rf"{parts[-1]}: tensor .* NaN or infinite"):
        LLM(parts[0])


def test_a_matrix_of_integers_names_its_part(tmp_path: Path) -> None:
    model, name = make_model(vocab_size=VOCAB_SIZE), "blk.1.ffn_down.weight"
    tensors = tensors_of(model) | {name: Stored(TensorType.I32, np.zeros((64, 96), np.int32))}
    metadata = metadata_of(model.config) | toy_metadata()
    whole = write(tmp_path / "whole.gguf", tensors, metadata, "Q8_0")
    parts = split(whole, tmp_path / "tiny", split_max_tensors=6)
    (part,) = [part for part in parts if name.encode() in part.read_bytes()]
    assert part != parts[0]
    with pytest.raises(UnsupportedModelError, match=f"^{part}: tensor '{name}' is I32: only a vec"):
        LLM(parts[0])
