"""Unigram models: the ids of the `sentencepiece` package, for random and for tied texts."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from support.folder_tokenizers import CORPUS

from foretell.text.tokenizer import Tokenizer

SYMBOLS = {
    "user_defined_symbols": ["<mark>", "a b", "e▁t", "字", "cat"],
    "control_symbols": ["<|end|>"],
}
CODES = [*range(1, 0xD800), *range(0xE000, 0x10FFFF, 97)]
MODELS: dict[str, dict[str, Any]] = {
    "symbols": SYMBOLS,
    "no prefix": {"add_dummy_prefix": False},
    "no bytes": {"byte_fallback": False, "character_coverage": 0.98},
    "no bytes, symbols": {"byte_fallback": False, "add_dummy_prefix": False, **SYMBOLS},
    "other ids": {"bos_id": -1, "eos_id": 0, "unk_id": 1},
    "any white space": {"split_by_whitespace": False, "split_digits": True},
    "few": {"vocab_size": 312, "allow_whitespace_only_pieces": True},
}


def train(**settings: Any) -> bytes:
    usual: dict[str, Any] = {
        "vocab_size": 330,
        "model_type": "unigram",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "hard_vocab_limit": False,
        "minloglevel": 3,
        "num_threads": 1,
    }
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=written, **usual | settings
    )
    return written.getvalue()


def random_texts(count: int, seed: int = 0) -> list[str]:
    """Some of the corpus, of few letters (whose ways are often equal), of all of Unicode."""
    rng = random.Random(seed)
    corpus = "".join(CORPUS)
    alphabets = [corpus, "ab ", "e t", "aab<mark> 字", "the cat sat. ", "0123 ,", "é字🙂\n\t▁ a"]

    texts = []
    for index in range(count):
        size = rng.randrange(1, 60)
        if index % 4 == 0:
            begin = rng.randrange(len(corpus))
            texts.append(corpus[begin : begin + size])
        elif index % 4 == 1:
            texts.append("".join(map(chr, rng.choices(CODES, k=size))))
        else:
            texts.append("".join(rng.choices(rng.choice(alphabets), k=size)))
    return texts


@pytest.fixture(scope="module", params=[*MODELS])
def pair(request, tmp_path_factory) -> tuple[Tokenizer, sentencepiece.SentencePieceProcessor]:
    model = train(**MODELS[request.param])
    folder: Path = tmp_path_factory.mktemp("model")
    (folder / "tokenizer.model").write_bytes(model)
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
    return Tokenizer.from_folder(folder), theirs


def test_ids_are_those_of_sentencepiece(pair) -> None:
    ours, theirs = pair
    assert ours.vocab_size == theirs.vocab_size()
    assert ours.eos_token_id == theirs.eos_id()
    for text in ["", " ", "  two  spaces ", "a<mark>b <mark>", "</s> <unk>", *random_texts(1000)]:
        assert ours.encode(text, add_special_tokens=False) == theirs.encode(text), repr(text)


def test_ids_give_the_text_back(pair) -> None:
    ours, theirs = pair
    for text in random_texts(100, seed=1):
        ids = ours.encode(text, add_special_tokens=False)
        spelled = theirs.decode(ids).replace(" ⁇ ", "<unk>")
        assert ours.decode(ids, skip_special_tokens=False) == spelled


def test_long_texts_too(pair) -> None:
    ours, theirs = pair
    text = " ".join(random_texts(400, seed=2))
    assert ours.encode(text, add_special_tokens=False) == theirs.encode(text)


def test_names_of_control_tokens_count_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train(**SYMBOLS))
    ours = Tokenizer.from_folder(tmp_path)
    (end,) = ours.encode("<|end|>", add_special_tokens=False, parse_special=True)
    assert ours.decode([end], skip_special_tokens=False) == "<|end|>"
    assert end not in ours.encode("<|end|>")
