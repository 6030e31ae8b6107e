"""`vocab.json` with `merges.txt` give the ids of transformers, or are refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.folder_tokenizers import CORPUS, byte_level
from transformers import GPT2Tokenizer, Qwen2Tokenizer

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizer import Tokenizer

TEXTS = [*CORPUS[:4], "", "  two  spaces", "it's 12345", "<|endoftext|>", "\r\n\n x", "한국어 字"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    byte_level(special_tokens=["<|endoftext|>"]).model.save(str(tmp_path))
    return tmp_path


def configure(folder: Path, **config: Any) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("kind", [GPT2Tokenizer, Qwen2Tokenizer])
def test_ids_are_those_of_transformers(kind: type[Any], folder: Path) -> None:
    configure(folder, tokenizer_class=kind.__name__, eos_token="<|endoftext|>")
    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    pairs = [tuple(line.split()) for line in merges.read_text().splitlines() if line[0] != "#"]
    theirs = kind(vocab=json.loads(vocab.read_text()), merges=pairs)
    ours = Tokenizer.from_folder(folder)
    for text in TEXTS:
        assert ours.encode(text, parse_special=True) == theirs(text)["input_ids"]
        assert ours.decode(ours.encode(text)) == text
    assert ours.eos_token_id == 0


def test_damaged_files_are_sentences(folder: Path) -> None:
    path = folder / "vocab.json"
    sound = json.loads(path.read_text())
    for change, message in (
        ({"Ġthe": -1}, "has id -1"),
        ({"Ġthe": "7"}, "has id '7'"),
        ({"Ġthe": 5}, "both have id 5"),
        ({"Ġthe": 10**9}, "has id 1000000000"),
    ):
        path.write_text(json.dumps(sound | change))
        with pytest.raises(ModelFileError, match=message):
            Tokenizer.from_folder(folder)
    path.write_text(json.dumps(sound))
    (folder / "merges.txt").write_text("#version: 0.2\nĠt he\nxx yy\n")
    with pytest.raises(ModelFileError, match="must be two tokens whose join is one too"):
        Tokenizer.from_folder(folder)


def test_other_classes_are_refused(folder: Path) -> None:
    configure(folder, tokenizer_class="RobertaTokenizer")
    with pytest.raises(UnsupportedModelError, match="tokenizer_class is 'RobertaTokenizer'"):
        Tokenizer.from_folder(folder)
    configure(folder, add_prefix_space=True)
    with pytest.raises(UnsupportedModelError, match="add_prefix_space is true"):
        Tokenizer.from_folder(folder)
