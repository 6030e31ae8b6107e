"""A `tekken.json` gives what merging by rank gives, or is refused in a sentence."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.folder_tokenizers import CORPUS, byte_level

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers.byte_level import byte_alphabet
from foretell.text.tokenizers.pretokenizers import TEKKEN

SPECIAL = 20


def ranks() -> list[bytes]:
    """The 256 bytes, and what training merged of them, by rank."""
    bytes_of = {char: byte for byte, char in enumerate(byte_alphabet())}
    vocab = byte_level(vocab_size=500).get_vocab()
    words = sorted((token for token in vocab if token not in ("<s>", "</s>")), key=vocab.get)
    longer = [bytes(bytes_of[char] for char in word) for word in words if len(word) > 1]
    return [bytes([byte]) for byte in range(256)] + longer


RANKS = ranks()


def spec(size: int = len(RANKS)) -> dict[str, Any]:
    names = ["<unk>", "<s>", "</s>", "[INST]"]
    return {
        "config": {
            "pattern": TEKKEN,
            "default_vocab_size": SPECIAL + size,
            "default_num_special_tokens": SPECIAL,
            "version": "v7",
        },
        "vocab": [
            {"rank": rank, "token_bytes": b64encode(token).decode(), "token_str": None}
            for rank, token in enumerate(RANKS)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(names)
        ],
    }


def load(folder: Path, content: dict[str, Any]) -> Tokenizer:
    (folder / "tekken.json").write_text(json.dumps(content))
    return Tokenizer.from_folder(folder)


def by_rank(word: bytes) -> list[bytes]:
    """Of two neighbours whose join has a rank, those with the lowest join first."""
    known = {token: rank for rank, token in enumerate(RANKS)}
    parts = [bytes([byte]) for byte in word]
    while True:
        joins = [
            (known[left + right], at)
            for at, (left, right) in enumerate(itertools.pairwise(parts))
            if left + right in known
        ]
        if not joins:
            return parts
        _, at = min(joins)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def test_words_are_merged_by_rank(tmp_path: Path) -> None:
    tokenizer = load(tmp_path, spec())
    assert tokenizer.vocab_size == SPECIAL + len(RANKS)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.adds_bos) == (1, 2, True)
    assert "<SPECIAL_4>" in tokenizer.control_names
    known = {token: SPECIAL + rank for rank, token in enumerate(RANKS)}
    for text in CORPUS[:4]:
        for word in text.split():
            ids = tokenizer.encode(word, add_special_tokens=False)
            assert tokenizer.decode(ids) == word
            if word.isalpha() and word.islower():
                assert ids == [known[part] for part in by_rank(word.encode())]
    assert tokenizer.encode("[INST]", parse_special=True) == [1, 3]
    assert 3 not in tokenizer.encode("[INST]")


def test_files_without_special_tokens_have_the_older_ones(tmp_path: Path) -> None:
    content = spec()
    del content["special_tokens"]
    assert load(tmp_path, content).encode("[TOOL_CALLS]", parse_special=True) == [1, 9]


def cut(content: dict[str, Any], **config: Any) -> None:
    content["config"].update(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.pop("config"), "has no config"),
        (lambda one: one.update(vocab=7), "lists 0 tokens"),
        (lambda one: cut(one, default_vocab_size=10**6), "asks for 999980 of them"),
        (lambda one: cut(one, default_vocab_size=40), "asks for 20 of them"),
        (lambda one: cut(one, default_vocab_size="many"), "default_vocab_size is 'many'"),
        (lambda one: cut(one, default_num_special_tokens=-1), "default_num_special_tokens is -1"),
        (
            lambda one: cut(one, default_num_special_tokens=2**22 - 256, default_vocab_size=2**22),
            "default_num_special_tokens is 4194048: must be 1 to 65536",
        ),
        (lambda one: one["vocab"][300].update(token_bytes="??"), r"vocab\[300\] is"),
        (lambda one: one["vocab"][300].update(rank=7), r"vocab\[300\] is"),
        (lambda one: one["vocab"].insert(3, 7), r"vocab\[3\] is 7"),
        (lambda one: one["vocab"][5].update(token_bytes="AA=="), "a token twice, or lacks a byte"),
        (lambda one: one.update(special_tokens=[{"token_str": 7}]), r"special_tokens\[0\] is"),
        (lambda one: one["special_tokens"][1].update(rank=5), r"special_tokens\[1\] is"),
        (lambda one: one["special_tokens"][1].update(token_str="<unk>"), r"special_tokens\[1\]"),
    ],
)
def test_damaged_files_are_sentences(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    content = spec()
    change(content)
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path, content)


def test_another_pattern_is_refused(tmp_path: Path) -> None:
    content = spec()
    cut(content, pattern=r"\w+")
    with pytest.raises(UnsupportedModelError, match="must be Mistral's pattern"):
        load(tmp_path, content)
