"""Vocabularies of Gemma 4's kind, against `tokenizers` and what llama.cpp makes of one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tokenizers
from support.text_corpus import CODE, PROSE, SCRIPTS, corpus
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers

from foretell.errors import ModelFileError
from foretell.text.tokenizer import Tokenizer


def tokenizer_of(metadata: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_gguf(metadata, source="m.gguf")


@pytest.fixture(scope="module")
def trained() -> tokenizers.Tokenizer:
    """BPE with byte fallback on texts whose spaces are `▁`, as `tokenizer.json` of Gemma 4 has it.

    Here the library itself cuts at line ends.
    """
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    whole = tokenizers.Tokenizer(models.BPE(byte_fallback=True))
    whole.normalizer = normalizers.Replace(" ", "▁")
    whole.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n+"), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<|begin|>", "<|unknown|>", *bytes_],
        limit_alphabet=150,
        show_progress=False,
    )
    whole.train_from_iterator([*CODE, *PROSE, *SCRIPTS, "a\n\n\n\nb\n\nc"] * 3, trainer)
    return tokenizers.Tokenizer.from_str(
        json.dumps(json.loads(whole.to_str()) | {"added_tokens": []})
    )


def metadata_of(whole: tokenizers.Tokenizer) -> dict[str, Any]:
    """What a GGUF file would say of it."""
    model = json.loads(whole.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return {
        "tokenizer.ggml.model": "gemma4",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 2] + [6] * 256 + [1] * (len(tokens) - 258),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in model["merges"]],
        "tokenizer.ggml.bos_token_id": 0,
    }


def test_encodes_as_the_library_does(trained: tokenizers.Tokenizer) -> None:
    tokenizer = tokenizer_of(metadata_of(trained))
    texts = [*corpus(), "\n" * 7, "x \n\n y\n", "\r\n\r\n", "🤖 \0"]
    for text in texts:
        expected = trained.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text, add_special_tokens=False) == expected, repr(text)
        assert tokenizer.decode(expected) == text.replace("▁", " ")
    ids = {token for text in texts for token in tokenizer.encode(text)}
    assert len(ids) > 500
    assert ids & {*range(2, 258)}  # bytes


LLAMA_CPP = {
    "hell": [267],
    "hello hell": [267, 115, 266, 265],
    "  hell\n\n\n he": [260, 266, 265, 269, 268, 266],
    "\n\n\n": [269, 268],
    "\n\n\n\n": [270],  # which no merge makes
    "a\n\n\n\n\nh": [101, 269, 269, 268, 261],
    "é<table>ll<table>": [199, 173, 272, 265, 272],
    "<turn|>": [64, 120, 121, 118, 114, 128, 66],
    "<0x0A>": [64, 52, 124, 52, 69, 66],
    "h el l": [261, 260, 262, 263, 260, 263],
    "\r\n\n": [17, 269],
    "▁he": [266],
    "hhee": [261, 264, 262],
    "": [],
}
"""Texts, and the ids that llama.cpp (of xllamacpp 2026.10.11549) gives them behind a <bos>."""


@pytest.mark.parametrize("text", LLAMA_CPP)
def test_encodes_as_llama_cpp_does(spaced_metadata: dict[str, Any], text: str) -> None:
    assert tokenizer_of(spaced_metadata).encode(text) == [2, *LLAMA_CPP[text]]


def test_control_tokens_are_read_where_asked_for(spaced_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(spaced_metadata)
    ids = tokenizer.encode("<bos> he<turn|>\n", parse_special=True, add_special_tokens=False)
    assert ids == [2, 266, 3, 268]
    assert tokenizer.decode(ids) == " he\n"
    assert tokenizer.token_bytes(3) == b"<turn|>"
    assert tokenizer.eos_token_ids == {1, 3}


def test_a_text_begins_with_bos_whatever_the_file_says(spaced_metadata: dict[str, Any]) -> None:
    spaced_metadata["tokenizer.ggml.add_bos_token"] = False
    assert tokenizer_of(spaced_metadata).encode("he") == [2, 264]


def test_bounds_hold(spaced_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(spaced_metadata)
    for text in LLAMA_CPP:
        assert tokenizer.min_tokens(text) <= len(tokenizer.encode(text))


def test_byte_tokens_must_be_there(spaced_metadata: dict[str, Any]) -> None:
    types = spaced_metadata["tokenizer.ggml.token_type"]
    spaced_metadata["tokenizer.ggml.token_type"] = [1 if kind == 6 else kind for kind in types]
    with pytest.raises(ModelFileError, match="no byte tokens: must have all 256"):
        tokenizer_of(spaced_metadata)
