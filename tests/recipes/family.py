"""The recipe's family, Jais 2, at work; `test_recipes.py` runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.family_contract import save
from support.family_files import make_family, write_family
from support.llama_files import write
from support.toy import VOCAB_SIZE, toy_tokenizer
from tests.backends.native.architectures.test_jais2 import JAIS2

import foretell
from foretell import LLM, UnsupportedModelError


def test_the_copy_is_what_is_tested() -> None:
    assert Path(foretell.__file__).is_relative_to(os.environ["COPY"])


def test_a_file_and_a_folder_generate(tmp_path: Path) -> None:
    model = make_family(JAIS2, vocab_size=VOCAB_SIZE)
    file = write_family(tmp_path / "m.gguf", JAIS2, model)
    texts = []
    for source in (file, save(tmp_path / "folder", model)):
        with LLM(str(source), backend="native", tokenizer=toy_tokenizer()) as llm:
            outputs = llm.generate(["the cat", "the"], max_new_tokens=20, temperature=0.7, seed=1)
            texts.append([output.text for output in outputs])
            assert all(output.token_ids for output in outputs)
    assert texts[0] == texts[1]


def test_what_is_supported_is_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", {}, {}, architecture="rwkv7")
    with pytest.raises(UnsupportedModelError, match=r"supported: .*jais2"):
        LLM(str(path), tokenizer=toy_tokenizer())
