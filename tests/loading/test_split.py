"""A model in parts gives the same bits as the model in one file, and errors name the part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.llama_files import make_model, metadata_of, tensors_of, write
from support.logits_after import logits_after
from support.split_files import split
from support.toy import VOCAB_SIZE, toy_metadata

from foretell import LLM
from foretell.errors import ModelFileError

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
