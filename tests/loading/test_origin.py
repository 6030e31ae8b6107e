"""What receipts tell of a model that came from files, and of files that were changed since."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.llama_files import make_model, write_model
from support.toy import VOCAB_SIZE, toy_tokenizer

from foretell import LLM
from foretell.loading import origin

SMALL: dict[str, Any] = {"tokenizer": toy_tokenizer(), "threads": 1, "num_blocks": 8}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(
        tmp_path_factory.mktemp("model") / "tiny.gguf", make_model(seed=4, vocab_size=VOCAB_SIZE)
    )


def facts_of(path: Path | str, **options):
    with LLM(path, **SMALL, **options) as llm:
        return llm.generate([3, 4], max_new_tokens=2).receipt.model


def test_a_file_is_told_by_its_name_and_its_bytes(model_file: Path) -> None:
    facts = facts_of(model_file, kv_dtype="q8", speculation=None)
    assert facts.name == "tiny.gguf"
    assert facts.sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert (facts.backend, facts.options) == ("native", {"kv_dtype": "q8"})
    assert facts.speculation is None
    assert "thread" not in facts.weights
    assert str(model_file.parent) not in repr(facts)


def test_a_file_changed_since_it_was_loaded_is_not_told(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    shutil.copy(model_file, path)
    with LLM(path, **SMALL) as llm:
        output = llm.generate([3, 4], max_new_tokens=2)
        other = tmp_path / "other"
        other.write_bytes(b"something else")
        os.replace(other, path)
        assert output.receipt.model.sha256 is None
        path.unlink()
        assert llm.generate([3, 4], max_new_tokens=2).receipt.model.sha256 is None
        view = llm.replay(output.receipt)
    assert view.identical
    assert "not known" in view.changed[0]


def test_a_file_is_hashed_once_and_only_for_a_receipt(model_file: Path, monkeypatch) -> None:
    hashed: list[Path] = []
    inner = origin.model_sha256
    monkeypatch.setattr(origin, "model_sha256", lambda path: hashed.append(path) or inner(path))
    origin._hash.cache_clear()
    with LLM(model_file, **SMALL) as llm:
        first = llm.generate([3, 4], max_new_tokens=2)
        assert hashed == []
        assert first.receipt.model is llm.generate([5], max_new_tokens=2).receipt.model
    assert facts_of(model_file).sha256 == first.receipt.model.sha256
    assert hashed == [model_file]


def test_one_weight_changes_the_hash_and_is_told(model_file: Path, tmp_path: Path) -> None:
    with LLM(model_file, **SMALL) as llm:
        receipt = llm.generate([3, 4], max_new_tokens=6, temperature=1.0, logprobs=2).receipt
    data = bytearray(model_file.read_bytes())
    data[-2] ^= 0x40  # the exponent of the last float
    path = tmp_path / "changed.gguf"
    path.write_bytes(data)
    with LLM(path, **SMALL) as llm:
        view = llm.replay(receipt)
    assert view.changed[0].startswith("the model is another: sha256 ")
    assert len(view.changed) == 1
